"""A hub that does not answer costs seconds and one sentence; what is on this machine never waits for it."""

import shutil
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from huggingface_hub import constants

from likely.errors import LikelyError
from likely.model import hub
from likely.model.base import Precision, load_base, load_tokenizer

FLOAT32 = Precision("float32", False)
NAME, COMMIT = "someone/tiny", "a" * 40


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))


def point_at(monkeypatch, port):
    """Let huggingface_hub take a local port for the hub."""
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{port}")
    template = f"http://127.0.0.1:{port}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


@pytest.fixture
def nobody(monkeypatch):
    """A port that refuses."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        point_at(monkeypatch, taken.getsockname()[1])
        yield


@pytest.fixture
def black_hole(monkeypatch):
    """A server that takes every call and never says a word."""
    monkeypatch.setattr(hub, "PATIENCE", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        point_at(monkeypatch, silent.getsockname()[1])
        yield


@pytest.fixture
def small_hub(monkeypatch, tiny_base):
    """A hub with one model on it; gives the paths that it was asked for."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            asked.append(self.path)
            file = tiny_base / self.path.rpartition("/")[2]
            there = self.path.startswith(f"/{NAME}/resolve/") and file.is_file()
            self.send_response(200 if there else 404)
            if there:
                self.send_header("Content-Length", str(file.stat().st_size))
                self.send_header("ETag", f'"{file.name}"')
            else:
                self.send_header("X-Error-Code", "EntryNotFound" if NAME in self.path else "RepoNotFound")
            self.send_header(constants.HUGGINGFACE_HEADER_X_REPO_COMMIT, COMMIT)
            self.end_headers()
            return file if there else None

        def do_GET(self):
            file = self.do_HEAD()
            if file:
                self.wfile.write(file.read_bytes())

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        point_at(monkeypatch, server.server_port)
        yield asked
        server.shutdown()


def put_in_cache(tiny_base, tmp_path, *left_out):
    """Lay the tiny model into huggingface's cache as a download of main does."""
    repository = tmp_path / "cache" / "models--someone--tiny"
    shutil.copytree(tiny_base, repository / "snapshots" / COMMIT, ignore=shutil.ignore_patterns(*left_out))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)


def loads():
    return (lambda: load_tokenizer(NAME), lambda: load_base(NAME, FLOAT32, "sdpa"))


@pytest.mark.parametrize("trouble", ["nobody", "black_hole"])
def test_a_hub_that_cannot_be_reached_is_said_in_one_sentence(request, trouble, capfd):
    request.getfixturevalue(trouble)
    for load in loads():
        with pytest.raises(
            LikelyError, match=r"someone/tiny is not on this machine, and the hub cannot be .* folder\."
        ):
            load()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("trouble", ["nobody", "black_hole"])
def test_a_cached_model_needs_no_hub_and_keeps_its_name(request, trouble, tiny_base, tmp_path, monkeypatch):
    request.getfixturevalue(trouble)
    put_in_cache(tiny_base, tmp_path)
    monkeypatch.setattr(hub, "hub_trouble", lambda *arguments: pytest.fail("the hub was asked"))
    tokenizer, model = (load() for load in loads())
    assert tokenizer("Yes") == load_tokenizer(str(tiny_base))("Yes")
    assert model.config.name_or_path == model.name_or_path == tokenizer.name_or_path == NAME


def test_half_a_download_is_not_taken_for_a_model(nobody, tiny_base, tmp_path):
    put_in_cache(tiny_base, tmp_path, "tokenizer.json", "*.safetensors")
    with pytest.raises(LikelyError, match="cannot be reached"):
        load_base(NAME, FLOAT32, "sdpa")


def test_a_model_is_fetched_once(small_hub):
    assert load_tokenizer(NAME).chat_template
    assert small_hub
    assert load_base(NAME, FLOAT32, "sdpa").name_or_path == NAME
    del small_hub[:]
    assert all(load() is not None for load in loads())
    assert small_hub == []


def test_a_model_that_the_hub_does_not_have_is_said_in_one_sentence(small_hub, capfd):
    for load in (lambda: load_tokenizer("no/such"), lambda: load_base("no/such", FLOAT32, "sdpa")):
        with pytest.raises(LikelyError, match=r"no/such cannot be loaded \(.*\); check model_name_or_path"):
            load()
    assert capfd.readouterr() == ("", "")


def test_a_name_that_can_be_none_is_said_in_one_sentence():
    with pytest.raises(LikelyError, match=r"a b cannot be loaded \(.*\); check model_name_or_path"):
        load_tokenizer("a b")
