"""Runs thousands of malformed inputs through the verbs; none may end in anything but success or a sentence.

    PYTHONPATH=tests python -m fuzz.run --inputs 20000 --seed 0      all kinds of `kinds`, on all cores
    PYTHONPATH=tests python -m fuzz.run output/fuzz/case.json        one input again, with its traceback

Input number n of a kind depends on the seed, the kind and n alone.
"""

import argparse
import multiprocessing
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

import torch

from fuzz.cases import Case, Outcome, play
from fuzz.kinds import KINDS
from fuzz.world import make_world
from likely.model.runtime import ready_process

FAILURES = Path("output/fuzz")
WHOLE, BATCH = 20_000, 25
MEMORY = 8 << 30
"""Bytes that a process may have, so that a bomb is a failure and not the end of the machine."""


SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """Somebody wants an end; no verb takes it for one of its errors."""

    def __init__(self, number: int) -> None:
        """Take the number of the signal."""
        super().__init__(number)
        self.number = number


def main() -> int:
    """Run what is asked for and return 1 if anything ended as it may not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", nargs="*", type=Path, help="run these again instead")
    parser.add_argument("--inputs", type=int, default=WHOLE)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=list(KINDS), help="only this one")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    ready_process()
    try:
        with heard(), tempfile.TemporaryDirectory(dir=scratch(), prefix="likely-fuzz-") as temporary:
            world = Path(temporary) / "world"
            world.mkdir()
            make_world(world)
            return repeat(options.case, world) if options.case else fuzz(options, world)
    except Stopped as stopped:  # before the first input
        return 128 + stopped.number


def scratch() -> str | None:
    """Return a folder in memory, where files cost the least, if there is one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def repeat(paths: list[Path], world: Path) -> int:
    """Run saved cases and show how they end."""
    outcomes = [play(Case.of(path.read_text(encoding="utf-8")), world, shown=True) for path in paths]
    for path, outcome in zip(paths, outcomes, strict=True):
        print(f"{path}: {outcome.fault or f'status {outcome.status}'}\n{outcome.said}".rstrip())
    return 1 if any(outcome.fault for outcome in outcomes) else 0


def fuzz(options: argparse.Namespace, world: Path) -> int:
    """Run the inputs of all kinds in a random order, and print how many there were and what failed.

    Ctrl-C or SIGTERM ends it at once, without the inputs under way; those that were done are as mixed as all of them.
    """
    started, failures, stopped_by = time.monotonic(), 0, 0
    ended: Counter[tuple[str, str]] = Counter()
    batches = list(batches_of(options))
    random.Random(options.seed).shuffle(batches)
    pool = ProcessPoolExecutor(options.processes, multiprocessing.get_context("spawn"), initializer=limit)
    try:
        # A terminal sends Ctrl-C to all, and it is for this process; those that begin while it is blocked never get it.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        waiting = {pool.submit(run_batch, options.seed, *batch, world): batch for batch in batches}
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        for done in as_completed(waiting):
            failures += count_batch(done, waiting[done], options.seed, ended)
        pool.shutdown()
    except Stopped as stopped:
        stopped_by = stopped.number
        end_at_once(pool)
    show_counts(ended)
    seconds, computing = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{ended.total():,} inputs of seed {options.seed} in {seconds:.0f} s, of computing "
        f"{computing.ru_utime + computing.ru_stime:.0f} s; {failures} failures.",
        flush=True,
    )
    return 128 + stopped_by if stopped_by else 1 if failures else 0


def end_at_once(pool: ProcessPoolExecutor) -> None:
    """Kill the processes of a pool, whatever they are doing, and wait for nothing that they have not done."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C, or what torchrun or make sends after it
    pool.shutdown(wait=False, cancel_futures=True)
    processes = multiprocessing.active_children()
    for process in processes:
        process.kill()
    for process in processes:
        process.join()


@contextmanager
def heard() -> Iterator[None]:
    """Raise Stopped where Ctrl-C or SIGTERM comes."""

    def stop(number: int, frame: object) -> None:
        raise Stopped(number)

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def count_batch(
    done: "Future[list[tuple[int, Case, Outcome]]]",
    batch: tuple[str, range],
    seed: int,
    ended: "Counter[tuple[str, str]]",
) -> int:
    """Count how the inputs of a batch ended, keep and print those that failed, and return how many did."""
    kind, numbers = batch
    try:
        results = done.result()
    except BrokenProcessPool:
        print(f"FAILED {kind} {numbers[0]} to {numbers[-1]}: the process died")
        return 1
    failures = 0
    for number, case, outcome in results:
        ended[kind, "failed" if outcome.fault else "refused" if outcome.status else "succeeded"] += 1
        if outcome.fault:
            failures += 1
            kept = keep(case, f"{kind}-{seed}-{number}")
            print(f"FAILED {kind} {number}: {outcome.fault}\n  {kept}", flush=True)
    return failures


def show_counts(ended: "Counter[tuple[str, str]]") -> None:
    """Print how many inputs of each kind ended how."""
    width = max(map(len, KINDS))
    for kind in KINDS:
        counts = {how: ended[kind, how] for how in ("succeeded", "refused", "failed")}
        if any(counts.values()):
            print(
                f"{kind:<{width}}  {sum(counts.values()):>6,}",
                *(f"{how} {count:>6,}" for how, count in counts.items()),
                sep="  ",
            )


def batches_of(options: argparse.Namespace) -> Iterator[tuple[str, range]]:
    """Yield the kinds and numbers of the inputs."""
    kinds = {kind: share for kind, (share, _) in KINDS.items() if options.kind in (None, kind)}
    whole = sum(kinds.values())
    for kind, share in kinds.items():
        count = -(-options.inputs * share // whole)  # rounded up: no kind is left out
        for first in range(0, count, BATCH):
            yield kind, range(first, min(first + BATCH, count))


def run_batch(seed: int, kind: str, numbers: range, world: Path) -> list[tuple[int, Case, Outcome]]:
    """Run some inputs of a kind."""
    return [(number, case, play(case, world)) for number in numbers for case in [case_of(seed, kind, number, world)]]


def case_of(seed: int, kind: str, number: int, world: Path) -> Case:
    """Return an input."""
    return KINDS[kind][1](random.Random(f"{seed} {kind} {number}"), world)


def keep(case: Case, name: str) -> Path:
    """Write a case to a file of its own."""
    FAILURES.mkdir(parents=True, exist_ok=True)
    path = FAILURES / f"{name.replace(' ', '-')}.json"
    path.write_text(case.text(), encoding="utf-8")
    return path


def limit() -> None:
    """Prepare a process, and bound what it may take."""
    torch.set_num_threads(1)
    ready_process()
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


if __name__ == "__main__":
    sys.exit(main())
