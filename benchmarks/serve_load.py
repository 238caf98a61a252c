"""Requests a second and latencies of `likely serve` under load: requests that wait together against one at a time.

    python -m benchmarks.serve_load --source FOLDER_OR_ZIP_OF_ML_LATEST_SMALL [--clients 1 8 32] [--requests 96]
        [--candidates 10] [--same-history] [--model NAME_OR_FOLDER | --shapes FOLDER | --tiny]

Two servers of one model answer on this machine's own address, in turns. Each client sends a ranking, waits for the
answer and sends the next. Every client has the history of a user of its own, or all have one with --same-history. That
both servers give the same probabilities is checked in every round.
"""

import argparse
import http.client
import json
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from rich.table import Table

from benchmarks import common
from benchmarks.common import Bench, Row
from benchmarks.scoring_throughput import busiest, ranker_of
from likely.data.movielens import read_movielens
from likely.data.question import show_question
from likely.data.ratings import RatingTable
from likely.data.wording import make_instruction, show_item, show_rated
from likely.serving.app import make_app
from likely.serving.served import Limits, Served
from likely.serving.server import listen
from likely.sources.tiny_model import TinyShape, chat_prompt, make_tiny_base

TOGETHER, ALONE = "together", "one at a time"
HISTORY = 15
TINY = TinyShape(vocabulary=2000, hidden=256, layers=4, steps=0)
"""A model of three million random weights: what it is asked costs about as much as asking."""


def arguments_parser() -> argparse.ArgumentParser:
    parser = common.model_parser(__doc__, rounds=3)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--requests", type=int, default=96, help="of all clients, in a round")
    parser.add_argument("--candidates", type=int, default=10)
    parser.add_argument("--same-history", action="store_true", help="all clients ask for one user")
    parser.add_argument("--tiny", action="store_true", help="a tiny model with random weights")
    return parser


def main() -> None:
    arguments = arguments_parser().parse_args()
    data = read_movielens(arguments.source)
    bodies = requests(data, 1 if arguments.same_history else max(arguments.clients), arguments.candidates)
    with tempfile.TemporaryDirectory() as scratch:
        bench = load(arguments, data, Path(scratch))
        with serving(served(bench, 32)) as together, serving(served(bench, 1)) as alone:
            ports = {TOGETHER: together, ALONE: alone}
            measured = {
                clients: measure(ports, bodies, clients, arguments.requests, arguments.rounds)
                for clients in arguments.clients
            }
    where = f"{bench.name}, {arguments.candidates} candidates, "
    where += "one history" if arguments.same_history else "a history of 15 movies a client"
    rows = [row_of(clients, found, where) for clients, found in measured.items()]
    flags = " ".join(f"--{name.replace('_', '-')}" for name in ("same_history", "tiny") if vars(arguments)[name])
    command = common.command_line("serve_load", arguments, "clients", "requests", "candidates")
    model = "tiny" if arguments.tiny else common.model_name(arguments)
    name = f"serve-load-{model}{'-same-history' if arguments.same_history else ''}"
    common.save(name, "requests a second", f"{command} {flags}".strip(), rows, {"measured": measured})
    common.print_result(table_of(measured), rows)


def load(arguments: argparse.Namespace, data: RatingTable, scratch: Path) -> Bench:
    """Return the model to serve."""
    if not arguments.tiny:
        return common.load_bench(arguments.model, arguments.shapes)
    tiny = common.load_bench(str(tiny_model(data, scratch)))
    return Bench("tiny, random weights", tiny.model, tiny.builder, tiny.budget)


def tiny_model(data: RatingTable, scratch: Path) -> Path:
    """Make the tiny model, whose tokenizer has read of the movies, and return its folder."""
    shown = [show_item(*movie) for movie in data.items.select("title", "year", "details").head(3000).iter_rows()]
    prompts = [chat_prompt(f"{make_instruction(4)}\n{show_question([show_rated(one, 4)], one)}") for one in shown]
    return make_tiny_base(scratch / "tiny", prompts, TINY)


def served(bench: Bench, together: int) -> Served:
    """Return what a server of a benchmark's model is made of; `together` is the most requests of one turn."""
    ranker = ranker_of(bench)
    return Served(ranker.run, ranker, "", None, None, Limits(places=256, together=together))


@contextmanager
def serving(run: Served) -> Iterator[int]:
    """Serve in a thread, and yield the port."""
    with listen("127.0.0.1", 0) as bound:
        server = uvicorn.Server(uvicorn.Config(make_app(run), log_level="warning", lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield bound.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def requests(data: RatingTable, users: int, candidates: int) -> list[bytes]:
    """Return a ranking request of each of the most active users: their first ratings, and the most rated movies."""
    named = {
        number: {"title": title, "year": year, "genres": list(genres)}
        for number, title, year, genres in data.items.select("item_id", "title", "year", "details").iter_rows()
    }
    bodies = []
    for _, rated, fresh in busiest(data, users, HISTORY, candidates):
        history = [{**named[movie], "rating": stars} for movie, stars in rated]
        body = {"history": history, "candidates": [named[movie] for movie in fresh], "top": None, "base": False}
        bodies.append(json.dumps(body).encode())
    return bodies


def measure(
    ports: dict[str, int], bodies: Sequence[bytes], clients: int, count: int, rounds: int
) -> dict[str, dict[str, list[float]]]:
    """Return of every round and server: requests a second, 50th and 99th percentile of seconds a request, and CPU.

    CPU is in seconds of processor a request, clients included. Other work on the machine leaves it as it is.
    """
    kept: dict[str, dict[str, list[float]]] = {name: {"rate": [], "p50": [], "p99": [], "cpu": []} for name in ports}
    for turn in range(rounds + 1):  # the first warms up
        sums = {}
        for name in list(ports)[:: 1 if turn % 2 else -1]:
            started, worked = time.perf_counter(), time.process_time()
            seconds, sums[name] = ask(ports[name], bodies, clients, count)
            spent = time.perf_counter() - started
            if turn:
                kept[name]["rate"].append(round(len(seconds) / spent, 3))
                kept[name]["cpu"].append(round((time.process_time() - worked) / len(seconds), 4))
                kept[name]["p50"].append(round(float(np.percentile(seconds, 50)), 4))
                kept[name]["p99"].append(round(float(np.percentile(seconds, 99)), 4))
        assert abs(sums[TOGETHER] - sums[ALONE]) < 1e-5 * count, sums
        print(f"{clients} clients, round {turn}: {[(name, kept[name]['rate'][-1:]) for name in ports]}", flush=True)
    return kept


def ask(port: int, bodies: Sequence[bytes], clients: int, count: int) -> tuple[list[float], float]:
    """Let clients send requests one after another; return the seconds of each, and the sum of all probabilities."""

    def client(number: int) -> tuple[list[float], float]:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        seconds, total = [], 0.0
        for _ in range(max(1, count // clients)):
            started = time.perf_counter()
            body = bodies[number % len(bodies)]
            connection.request("POST", "/v1/rank", body, {"Content-Type": "application/json"})
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
            seconds.append(time.perf_counter() - started)
            total += sum(row["p_yes"] for row in answer["ranked"])
        connection.close()
        return seconds, total

    with ThreadPoolExecutor(clients) as threads:
        done = list(threads.map(client, range(clients)))
    return [one for seconds, _ in done for one in seconds], sum(total for _, total in done)


def row_of(clients: int, found: dict[str, dict[str, list[float]]], where: str) -> Row:
    """Return a line of the table of docs/speed.md: the median of the ratios within a round, for rounds differ more."""
    median = {name: {what: float(np.median(values)) for what, values in one.items()} for name, one in found.items()}
    fast, slow = median[TOGETHER], median[ALONE]
    ratio = float(np.median(np.divide(found[ALONE]["cpu"], found[TOGETHER]["cpu"])))
    note = (
        f"{where}; {fast['cpu']:.3f} s against {slow['cpu']:.3f}; {fast['rate']:.1f} requests/s, "
        f"p50 {fast['p50']:.1f} s, p99 {fast['p99']:.1f} s against "
        f"{slow['rate']:.1f}/s, {slow['p50']:.1f} s, {slow['p99']:.1f} s"
    )
    figure = f"`likely serve`, CPU a request of {clients} client{'s' * (clients > 1)}, together against one at a time"
    return Row(figure, "", f"{ratio:.2f}x", None, note)


def table_of(measured: dict[int, dict[str, dict[str, list[float]]]]) -> Table:
    """Return all medians as a table."""
    table = Table("clients", "requests", "requests/s", "p50 s", "p99 s", "CPU s a request")
    for clients, found in measured.items():
        for name, one in found.items():
            table.add_row(
                str(clients), name, *(f"{np.median(one[what]):.3f}" for what in ("rate", "p50", "p99", "cpu"))
            )
    return table


if __name__ == "__main__":
    main()
