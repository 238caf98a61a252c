"""The server stays on this machine unless a key is set, says why it cannot start, and finishes what it began."""

import http.client
import json
import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from likely.cli import run
from likely.cli import serve as serving
from likely.errors import LikelyError
from likely.serving.server import address_of, check_host, is_loopback, listen


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "::1"])
def test_this_machine_needs_no_key(host):
    assert is_loopback(host)
    check_host(host, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
def test_another_address_needs_one(host):
    with pytest.raises(LikelyError, match="--api-key"):
        check_host(host, None)
    check_host(host, "sesame")


@pytest.mark.parametrize("key", ["", " ", "two\nlines", "sésame", " sesame"])
def test_a_key_that_no_client_could_send_is_refused(key):
    with pytest.raises(LikelyError, match="--api-key"):
        check_host("127.0.0.1", key)


def test_an_address_is_one_for_a_browser():
    with listen("127.0.0.1", 0) as bound:
        assert address_of(bound) == f"http://127.0.0.1:{bound.getsockname()[1]}"


def test_what_keeps_it_from_starting_is_said(tmp_path, served_folder, capsys, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run(["serve", "--run", str(served_folder), "--port", str(port)]) == 2
        assert f"Port {port} of 127.0.0.1 cannot be served" in capsys.readouterr().err
    assert run(["serve", "--run", str(served_folder), "--host", "0.0.0.0"]) == 2
    assert "lets other machines in" in capsys.readouterr().err
    assert run(["serve", "--run", str(tmp_path), "--port", "0"]) == 2
    assert str(tmp_path) in capsys.readouterr().err
    monkeypatch.setattr(serving, "find_spec", lambda name: None)
    assert run(["serve", "--run", str(served_folder)]) == 2
    assert "pip install fastapi uvicorn prometheus_client" in capsys.readouterr().err


def post(port, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("POST", "/v1/rank", json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def answers(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def under_way(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("likely_requests_under_way "))


def test_sigterm_lets_requests_under_way_finish(served_folder):
    """The command runs in this process, and so do its clients, in other threads."""
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    body = {"history": [{"title": "Heat", "rating": 4}], "candidates": "catalogue", "top": None}

    def stop_at_work():
        with ThreadPoolExecutor(8) as clients:
            try:
                wait_for(lambda: answers(port))
                waiting = [clients.submit(post, port, body) for _ in range(8)]
                wait_for(lambda: under_way(port) == 8 or any(one.done() for one in waiting))
            finally:
                os.kill(os.getpid(), signal.SIGTERM)  # whatever failed, or the command would serve for ever
            return [one.result() for one in waiting]

    signals = []
    before = signal.signal(signal.SIGTERM, lambda number, _: signals.append(number))  # uvicorn passes it on at its end
    try:
        with ThreadPoolExecutor(1) as beside:
            stopping = beside.submit(stop_at_work)
            assert run(["serve", "--run", str(served_folder), "--port", str(port)]) == 0
            told = stopping.result()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert signals == [signal.SIGTERM]
    assert [status for status, _ in told] == [200] * 8
    assert {len(answer["ranked"]) for _, answer in told} == {60}
    with pytest.raises(ConnectionRefusedError):
        post(port, body)
