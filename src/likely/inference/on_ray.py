"""The files of a folder, spread over workers by Ray Data, each with a model of its own: on this machine or a cluster.

`cli.predict` gives :func:`spread_on_ray` to `predict_folder`. What travels are names of files and what was done with
them; the files are read and written where a worker is, so all machines have to see the same folders. Where a worker
dies, another goes on with its file from the last window of records that was kept.
"""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import ray
from ray.data import ActorPoolStrategy, DataContext

from likely.config.run_config import RunConfig
from likely.errors import LikelyError
from likely.inference.precision_here import settled
from likely.inference.predict import Prediction
from likely.inference.predict_folder import FolderJob, PartScorer
from likely.model.runtime import ready_process

MOST_TRIES = 4
"""How often a file is begun: one that kills every worker, say because memory does not suffice, ends the command."""


@dataclass(frozen=True)
class Share:
    """How many workers there are, and what each gets of a machine."""

    workers: int
    cpus: int
    gpus: int


class Tries:
    """Counts for all workers how often they began with each file."""

    def __init__(self) -> None:
        """Begin with none."""
        self.counts: dict[str, int] = {}

    def another(self, name: str) -> int:
        """Count a try, and return how many there were with it."""
        self.counts[name] = self.counts.get(name, 0) + 1
        return self.counts[name]


class Worker:
    """One of Ray's processes, that scores file after file with one model."""

    def __init__(self, job: FolderJob, tries: Any) -> None:
        """Get ready.

        Args:
            job: whose files are scored.
            tries: handle of an actor :class:`Tries`.
        """
        ready_process()
        self.scorer = PartScorer(job)
        self.tries = tries

    def __call__(self, row: Mapping[str, str]) -> dict[str, Any]:
        """Score the file of a name; a sentence for the user comes back under `problem`."""
        name = row["name"]
        done, problem = Prediction(0, 0, 0), ""
        try:
            if ray.get(self.tries.another.remote(name)) > MOST_TRIES:
                raise LikelyError(
                    f"{name} was begun {MOST_TRIES} times and its worker died each time; give workers more memory, by "
                    "fewer --workers or a smaller per_device_eval_batch_size."
                )
            done = self.scorer.score(name)
        except LikelyError as error:
            problem = str(error)
        return {"name": name, "done": done, "problem": problem}


def settled_there(job: FolderJob) -> tuple[RunConfig, str]:
    """Return the configuration of a job with the precision of a worker, or a sentence for the user."""
    ready_process()
    try:
        return settled(job.run, job.config), ""
    except LikelyError as error:
        return job.config, str(error)


def spread_on_ray(job: FolderJob, names: Sequence[str], workers: int | None) -> Iterator[tuple[str, Prediction]]:
    """Score files on a cluster of Ray: the one that is connected to or running, or else one of this machine alone.

    Args:
        job: whose files are scored.
        names: of the files.
        workers: how many; None for one a GPU, or a machine where there is none.

    Yields:
        The name of a file and what was done, in the order in which they end.

    Raises:
        LikelyError: there is no room for so many workers, or a file cannot be scored.
    """
    job = replace(job, run=job.run.resolve(), data=job.data.resolve(), output=job.output.resolve())
    with connected():
        share = share_of([node["Resources"] for node in ray.nodes() if node["Alive"]], workers)
        # One worker decides for all: others may find another precision, and files of two do not go together.
        settle = ray.remote(num_cpus=share.cpus, num_gpus=share.gpus)(settled_there)
        config, problem = ray.get(settle.remote(job))
        if problem:
            raise LikelyError(problem)
        job = replace(job, config=config)
        tries = ray.remote(num_cpus=0, max_restarts=-1)(Tries).remote()
        data = ray.data.from_items([{"name": name} for name in names], override_num_blocks=len(names))
        scored = data.map(
            Worker,
            fn_constructor_args=(job, tries),
            compute=ActorPoolStrategy(size=min(share.workers, len(names)), max_tasks_in_flight_per_actor=1),
            num_cpus=share.cpus,
            num_gpus=share.gpus,
        )
        for row in scored.iter_rows():
            if row["problem"]:
                raise LikelyError(row["problem"])
            yield row["name"], row["done"]


def share_of(machines: Sequence[Mapping[str, float]], workers: int | None) -> Share:
    """Return what each worker gets: a GPU where there are any, else as many CPUs as leave room for all of them.

    Args:
        machines: what each has, as `ray.nodes` calls it.
        workers: how many are wanted; None for one a GPU, or a machine where there is none.

    Raises:
        LikelyError: there is no room for so many.
    """
    gpus = sum(int(machine.get("GPU", 0)) for machine in machines)
    cpus = [int(machine.get("CPU", 0)) for machine in machines]
    workers = workers or gpus or len(machines)
    if gpus and workers > gpus:
        raise LikelyError(
            f"--workers {workers} are more than the {gpus} GPUs that Ray has; ask for no more than {gpus}."
        )
    if gpus:
        return Share(workers, 1, 1)
    fitting = [share for share in range(1, max(cpus) + 1) if sum(own // share for own in cpus) >= workers]
    if not fitting:
        raise LikelyError(f"--workers {workers} are more than the {sum(cpus)} CPUs that Ray has; ask for fewer.")
    return Share(workers, fitting[-1], 0)


@contextmanager
def connected() -> Iterator[None]:
    """Connect to Ray for the length of a block, unless this process is, and keep its own reports to itself.

    Raises:
        LikelyError: it cannot be reached or started.
    """
    own = not ray.is_initialized()
    if own:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError) as error:
            where = os.environ.get("RAY_ADDRESS")
            raise LikelyError(
                f"Ray {f'at RAY_ADDRESS {where} cannot be reached' if where else 'cannot be started'} ({error}); start "
                "it there with ray start, or leave RAY_ADDRESS out for one of this machine alone."
            ) from error
    context = DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        yield
    finally:
        if own:
            ray.shutdown()
