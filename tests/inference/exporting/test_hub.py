"""An exported folder goes to the hub whole, into a private repository, and stays where it is if the hub refuses."""

import base64
import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from huggingface_hub import HfApi

from likely.errors import LikelyError
from likely.inference.exporting.hub import push


class Hub(BaseHTTPRequestHandler):
    """As much of the hub's interface as an upload of small files needs."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, body, self.headers.get("Authorization")))
        if self.server.status != 200:
            return self.answer({"error": "no"}, self.server.status)
        if self.path == "/api/repos/create":
            return self.answer({"url": f"{self.server.address}/somebody/likes", "name": "somebody/likes"})
        if "/preupload/" in self.path:
            files = json.loads(body)["files"]
            shown = [{"path": file["path"], "uploadMode": "regular", "shouldIgnore": False} for file in files]
            return self.answer({"files": shown})
        if "/commit/" in self.path:
            page = f"{self.server.address}/somebody/likes/commit/1"
            return self.answer({"commitUrl": page, "commitOid": "1", "hookOutput": ""})
        return self.answer({"errors": [], "warnings": []})

    def answer(self, content, status=200):
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def hub(monkeypatch):
    """A hub on this machine that huggingface_hub talks to."""
    server = HTTPServer(("127.0.0.1", 0), Hub)
    server.asked, server.status = [], 200
    server.address = f"http://127.0.0.1:{server.server_port}"
    api = HfApi(endpoint=server.address, token="hf_of_this_test")
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: api)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    return tmp_path


def test_every_file_is_uploaded_into_a_private_repository(hub, folder):
    assert push(folder, "likes") == f"{hub.address}/somebody/likes"
    (created,) = [json.loads(body) for path, body, _ in hub.asked if path == "/api/repos/create"]
    assert created["name"] == "likes"
    assert created.get("private") is True or created.get("visibility") == "private"
    (commit,) = [body for path, body, _ in hub.asked if "/somebody/likes/commit/" in path]
    sent = [json.loads(line) for line in commit.splitlines()]
    files = {line["value"]["path"]: line["value"]["content"] for line in sent if line["key"] == "file"}
    assert {name: base64.b64decode(content) for name, content in files.items()} == {
        path.name: path.read_bytes() for path in folder.iterdir()
    }
    assert {token for _, _, token in hub.asked} == {"Bearer hf_of_this_test"}


def test_a_hub_that_refuses_costs_the_upload_only(hub, folder):
    hub.status = 403
    with pytest.raises(LikelyError, match=r"is written, but could not be uploaded to likes .*hf upload likes"):
        push(folder, "likes")
    assert len(list(folder.iterdir())) == 2


def test_a_hub_that_is_not_there_is_a_sentence(hub, folder):
    hub.shutdown()
    hub.server_close()
    with pytest.raises(LikelyError, match="could not be uploaded"):
        push(folder, "likes")
