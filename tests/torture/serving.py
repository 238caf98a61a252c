"""Puts `likely serve` under load with bad requests mixed in, and tells of every answer that is wrong.

For as long as it is told to, clients ask the same rankings again and again and compare them with the first answers.
Beside them others send broken JSON, bodies of 10 MB, requests that stop half-way and requests whose sender leaves.
schemathesis, where it is installed, makes requests of the server's own description. Then the server gets SIGTERM.

    PYTHONPATH=tests python -m torture.serving --run output/demo --seconds 300 [--schemathesis COMMAND]
"""

import argparse
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

TOLERANCE = 1e-5
PATIENCE = 120
"""Seconds that a request may take."""
BROKEN = [b"", b"{", b"\xff\xfe", b"[]", b'{"history": NaN}', b'{"history": ' + b"[" * 5000, b'{"history": 1e999}']
HUGE = b'{"history": "' + b"x" * 10_000_000 + b'"}'


@dataclass
class Tally:
    """What came of the requests so far."""

    statuses: Counter[str] = field(default_factory=Counter)
    difference: float = 0.0
    faults: list[str] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)


def main() -> int:
    """Start a server, load it, stop it, print what happened, and return 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", required=True, help="folder of a finished run with a catalogue")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--schemathesis", help="its command; without it, that part is left out")
    options = parser.parse_args()
    tally, made = Tally(), ""
    command = [sys.executable, "-m", "likely", "serve", "--run", options.run, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        port = int(server.stdout.readline().split("http://127.0.0.1:")[1].split()[0])
        end = time.monotonic() + options.seconds
        clients = [good, good, good, broken, huge, slow, leaving]
        threads = [threading.Thread(target=client, args=(port, end, tally)) for client in clients]
        threads.append(threading.Thread(target=watch, args=(server.pid, end, tally)))
        for thread in threads:
            thread.start()
        if options.schemathesis:
            made = schemathesis(options.schemathesis, port, options.seconds)
        for thread in threads:
            thread.join()
        drained = drain(server, port)
    print(f"answers {dict(sorted(tally.statuses.items()))}; largest difference of P(Yes) {tally.difference:.1e}")
    memory = [round(one) for one in tally.memory_mb[:: max(1, len(tally.memory_mb) // 10)]]
    print(f"memory in MB, at equal times: {memory}")
    print(f"SIGTERM: {drained}")
    print(made)
    print("\n".join(tally.faults[:20]) or "no fault")
    return int(bool(tally.faults) or "Server error" in made)


def send(port: int, body: bytes, path: str = "/v1/rank") -> tuple[int, bytes]:
    """Send a request and return what came back."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    said = answer.status, answer.read()
    connection.close()
    return said


def good(port: int, end: float, tally: Tally) -> None:
    """Ask the same again and again; every answer has to be the first one."""
    rated = [{"title": "Heat", "year": 1995, "rating": 4.5}, {"title": "Babe", "year": 1995, "rating": 2}]
    bodies = [
        {"history": rated[:count], "candidates": candidates, "most_rated": 30, "top": 10}
        for count in (1, 2)
        for candidates in ("catalogue", [{"title": "Ronin", "year": 1998}, {"title": "Antz", "year": 1998}])
    ]
    first: dict[int, dict[str, float]] = {}
    number = 0
    while time.monotonic() < end:
        status, said = send(port, json.dumps(bodies[number % 4]).encode())
        tally.statuses[f"good {status}"] += 1
        if status != 200:
            if status != 503:
                tally.faults.append(f"good request: {status} {said[:200]!r}")
            continue
        told = {row["title"]: row["p_yes"] for row in json.loads(said)["ranked"]}
        before = first.setdefault(number % 4, told)
        shared = before.keys() & told.keys()
        apart = max(abs(before[title] - told[title]) for title in shared)
        tally.difference = max(tally.difference, apart)
        if apart > TOLERANCE or len(shared) < len(told) - 1:  # the tenth and the eleventh may be equal
            tally.faults.append(f"wrong answer: {apart:.1e}, {len(shared)} of {len(told)}")
        number += 1


def broken(port: int, end: float, tally: Tally) -> None:
    """Send what is no request."""
    number = 0
    while time.monotonic() < end:
        status, said = send(port, BROKEN[number % len(BROKEN)], ["/v1/rank", "/v1/predict", "/v1/score"][number % 3])
        tally.statuses[f"broken {status}"] += 1
        if status not in (422, 503):
            tally.faults.append(f"broken body {number % len(BROKEN)}: {status} {said[:200]!r}")
        number += 1
        time.sleep(0.05)


def huge(port: int, end: float, tally: Tally) -> None:
    """Send 10 MB, with and without saying so before."""
    number = 0
    while time.monotonic() < end:
        length = f"Content-Length: {len(HUGE)}" if number % 2 else "Transfer-Encoding: chunked"
        body = HUGE if number % 2 else f"{len(HUGE):x}\r\n".encode() + HUGE + b"\r\n0\r\n\r\n"
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
                connection.sendall(f"POST /v1/rank HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n".encode())
                connection.sendall(body)
                status = connection.recv(100).split(b" ")[1].decode()
        except (ConnectionError, IndexError):
            status = "cut off"  # the refusal came before the body was through
        tally.statuses[f"huge {status}"] += 1
        if status not in ("413", "cut off"):
            tally.faults.append(f"10 MB: {status}")
        number += 1
        time.sleep(0.5)


def slow(port: int, end: float, tally: Tally) -> None:
    """Send a byte now and then, and stop half-way."""
    while time.monotonic() < end:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(b"POST /v1/rank HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{")
            for _ in range(10):
                time.sleep(0.3)
                connection.sendall(b" ")
        tally.statuses["slow, left half-way"] += 1


def leaving(port: int, end: float, tally: Tally) -> None:
    """Ask for the whole catalogue and go away."""
    body = b'{"history": [{"title": "Heat", "rating": 4}], "candidates": "catalogue", "most_rated": 500, "top": null}'
    while time.monotonic() < end:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(b"POST /v1/rank HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
            connection.sendall(f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
            time.sleep(0.2)
        tally.statuses["left while computing"] += 1
        time.sleep(0.3)


def watch(pid: int, end: float, tally: Tally) -> None:
    """Note the server's memory every second."""
    while time.monotonic() < end:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
        tally.memory_mb.append(next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024)
        time.sleep(1)


def schemathesis(command: str, port: int, seconds: float) -> str:
    """Let schemathesis make requests of the interface's own description, and return how it ended.

    A request may take as long as it does beside all others; schemathesis itself would wait for 10 seconds.
    """
    address = f"http://127.0.0.1:{port}/openapi.json"
    checks = ["--checks", "not_a_server_error", "--max-examples", "400", "--generation-database", "none"]
    limits = ["--max-time", str(round(seconds)), "--request-timeout", str(PATIENCE)]
    started = subprocess.Popen([command, "run", address, *checks, *limits], stdout=subprocess.PIPE, text=True)
    try:
        told, _ = started.communicate(timeout=seconds + PATIENCE)
    except subprocess.TimeoutExpired:
        started.send_signal(signal.SIGINT)  # after which it still says what it has found
        told, _ = started.communicate()
    return f"schemathesis (status {started.returncode}): {told[-2500:]}"


def drain(server: "subprocess.Popen[str]", port: int) -> str:
    """Send SIGTERM while requests are under way; they have to be answered."""
    body = b'{"history": [{"title": "Heat", "rating": 4}], "candidates": "catalogue", "most_rated": 50}'
    with ThreadPoolExecutor(4) as clients:
        waiting = [clients.submit(send, port, body) for _ in range(4)]
        time.sleep(0.3)
        server.send_signal(signal.SIGTERM)
        statuses = [one.result()[0] for one in waiting]
    return f"requests under way got {statuses}, exit status {server.wait(90)}"


if __name__ == "__main__":
    sys.exit(main())
