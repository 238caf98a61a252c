"""Worker processes that share a GPU: each imports once and then trains one run after the other, on one CPU thread.

`serve` is what a worker does; `hand_out` gives the workers runs and tells of every finished one.
"""

import gc
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal

from benchmarks.machine import machine, versions
from benchmarks.pretrained_studies.records import Count
from benchmarks.pretrained_studies.studies import Run, Setting
from likely.errors import LikelyError

START = 10.0
"""Seconds that a run takes besides its passes and tokens, before any has been seen: reading, loading, writing."""

PASSES_A_SECOND, TOKENS_A_SECOND = 12.0, 100_000.0
"""Of a worker among eight on an H100, a hopeful guess: too high a one would keep the first runs from beginning."""

MARGIN = 1.1
"""How much longer than expected a run may take."""


@dataclass
class Pace:
    """How long runs take: as long as others of the same setting, or by what they compute.

    Attributes:
        counts: what every setting computes.
        seen: seconds of finished runs.
    """

    counts: Mapping[Setting, Count]
    seen: dict[Setting, list[float]] = field(default_factory=dict)

    def note(self, setting: Setting, seconds: float) -> None:
        self.seen.setdefault(setting, []).append(seconds)

    def first_guess(self, setting: Setting) -> float:
        """Return the seconds of a run by its passes and unique tokens alone."""
        count = self.counts[setting]
        passes, tokens = setting.epochs * count.passes, setting.epochs * count.tokens
        return START + passes / PASSES_A_SECOND + (tokens + count.evaluated_tokens / 3) / TOKENS_A_SECOND

    def expected(self, setting: Setting) -> float:
        """Return the seconds that a run will take."""
        if setting in self.seen:
            return max(self.seen[setting])
        ratios = [max(took) / self.first_guess(known) for known, took in self.seen.items()]
        return self.first_guess(setting) * (sorted(ratios)[len(ratios) // 2] if ratios else 1.0)

    def next_of(self, waiting: Sequence[Run], left: float) -> Run | None:
        """Return the first run that will finish in so many seconds."""
        return next((run for run in waiting if MARGIN * self.expected(run.setting) <= left), None)


@dataclass
class Worker:
    """A process, our end of the pipe to it, and what it is at."""

    process: BaseProcess
    connection: Connection
    run: Run | None = None


def hand_out(
    runs: Sequence[Run],
    pace: Pace,
    workers: int,
    until: float,
    begin: Callable[[Connection], None],
    tell: Callable[[Mapping[str, Any]], None],
) -> None:
    """Have workers go through runs, the first ones first, until all are done or a moment is reached.

    What still runs then is killed.

    Args:
        runs: in order.
        pace: says whether one would finish.
        workers: how many processes.
        until: that moment, of `time.monotonic`.
        begin: what a worker does, given its end of a pipe; it says that it is ready, and then answers each run.
        tell: what a worker said: of itself, or of a run.
    """
    waiting = list(runs)
    with started(workers, begin) as busy:
        while busy and (left := until - time.monotonic()) > 0:
            ready = wait([worker.connection for worker in busy], timeout=left)
            for worker in [worker for worker in busy if worker.connection in ready]:
                said = _said_by(worker)
                tell(said)
                if "seconds" in said and worker.run:
                    pace.note(worker.run.setting, said["seconds"])
                worker.run = pace.next_of(waiting, until - time.monotonic()) if "lost" not in said else None
                if worker.run is None:
                    busy.remove(worker)
                else:
                    waiting.remove(worker.run)
                    worker.connection.send(worker.run)


@contextmanager
def started(workers: int, begin: Callable[[Connection], None]) -> Iterator[list[Worker]]:
    """Start processes that do not outlive the block."""
    context = get_context("spawn")
    everybody = []
    for _ in range(workers):
        ours, theirs = context.Pipe()
        process = context.Process(target=begin, args=(theirs,), daemon=True)
        process.start()
        theirs.close()
        everybody.append(Worker(process, ours))
    try:
        yield list(everybody)
    finally:
        for worker in everybody:
            worker.process.kill()  # a training would take SIGTERM as a request to stop and save
            worker.process.join()


def _said_by(worker: Worker) -> Mapping[str, Any]:
    try:
        said: Mapping[str, Any] = worker.connection.recv()
    except EOFError:
        worker.process.join()
        return {"lost": worker.process.exitcode, **(worker.run.as_json() if worker.run else {})}
    return said


@dataclass(frozen=True)
class Ground:
    """Where the runs of a worker are trained, and with which records; called with a pipe, it serves it."""

    model: str
    data: Path
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"

    def __call__(self, connection: Connection) -> None:
        """Import and say where we are; then train what comes, until this process is killed."""
        import torch

        from likely.model.cuda import ready_cuda
        from likely.training import trainer  # noqa: F401  (imports what every run needs)

        torch.set_num_threads(1)
        if ready_cuda():
            torch.zeros(1, device="cuda")
        connection.send({"machine": machine(), "versions": versions()})
        while True:
            connection.send(self.attempt(connection.recv()))

    def attempt(self, run: Run) -> dict[str, Any]:
        """Train once and return what came of it, or why nothing did."""
        import torch

        started = time.perf_counter()
        on_gpu = torch.cuda.is_available()
        if on_gpu:
            torch.cuda.reset_peak_memory_stats()
        try:
            figures = self.train(run)
        except (LikelyError, RuntimeError, MemoryError) as error:  # out of memory is a RuntimeError
            return {**run.as_json(), "failed": f"{type(error).__name__}: {error}"[:400]}
        finally:
            gc.collect()
            if on_gpu:
                torch.cuda.empty_cache()
        seconds = round(time.perf_counter() - started, 1)
        peak = round(torch.cuda.max_memory_reserved() / 2**30, 2) if on_gpu else None
        return {**run.as_json(), "seconds": seconds, "peak_gib": peak, **figures}

    def train(self, run: Run) -> dict[str, Any]:
        """Train once, as `likely train` does, and return the curve of its loss and what it answers to the eval rows."""
        from likely.config.run_config import RunConfig
        from likely.evaluation.metrics import answer_metrics
        from likely.model.answers import Answers
        from likely.training.run import train

        setting, answered = run.setting, []

        def metrics_of(answers: Answers, users: Sequence[str | None]) -> Mapping[str, float]:
            answered.append([float(f"{share:.5g}") for share in answers.p_yes])
            return answer_metrics(answers, users)

        with tempfile.TemporaryDirectory() as scratch:
            config = RunConfig(
                model_name_or_path=self.model,
                dtype=self.dtype,
                dataset=None,
                train_file=str(self.data / setting.records / "train.parquet"),
                eval_file=str(self.data / setting.records / "eval.parquet"),
                max_eval_samples=None,
                cutoff_len=setting.cutoff_len,
                group_size=setting.group_size,
                output_dir=str(Path(scratch) / "run"),
                per_device_train_batch_size=2,
                gradient_accumulation_steps=setting.step // 2,
                per_device_eval_batch_size=max(8 * 1024 // setting.cutoff_len, 1),
                num_train_epochs=setting.epochs,
                learning_rate=setting.learning_rate,
                pass_tokens=setting.pass_tokens,
                gradient_checkpointing=setting.recompute,
                lora_dropout=setting.dropout,
                eval_steps=1_000_000,
                early_stopping_patience=None,
                logging_steps=max(256 // setting.step, 1),
                report_to=("none",),
                seed=run.seed,
            )
            finished = train(config, metrics_of)
        losses = [entry for entry in finished.log if "loss" in entry]
        last = [entry for entry in finished.log if "eval_auc" in entry][-1]
        return {
            "records": [entry["step"] * setting.step for entry in losses],
            "loss": [round(entry["loss"], 4) for entry in losses],
            "metrics": {key: round(value, 5) for key, value in last.items() if key.startswith("eval_")},
            "saving": finished.metrics["saving"],
            "precision": finished.metrics["base"]["precision"],
            "p_yes": answered[-1],
        }
