"""One stretch of a run: from its beginning, or the checkpoint it goes on from, to the step in which it stops.

`run` builds the trainer; here is what is around its steps: one run at a time in a folder, the callbacks, Ctrl-C, and
what is compared with the run that a checkpoint belongs to.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from likely.config.run_config import RunConfig, is_plain_name
from likely.data.run_data import files_of
from likely.data.task import content_of
from likely.encoding.prompt import EncodedRecord
from likely.errors import StoppedError
from likely.locking import alone_in
from likely.model.base import Precision
from likely.model.fingerprint import tokens_of
from likely.training.arguments import count_devices, is_first_process, total_steps
from likely.training.checkpoints import clear, saying_why, step_of, tidy
from likely.training.ranks import by_first, together
from likely.training.resume import applied_changes, check_same_run, facts_of
from likely.training.run_folder import Start, check_folder, check_output
from likely.training.stopping import StopRequest, listening

if TYPE_CHECKING:
    from transformers import TrainerCallback

    from likely.training.callbacks import Clock
    from likely.training.trainer import AnswerTrainer

OnNote = Callable[[str, str], None]
"""Told, under a title of one word, what a person wants to know of a run."""


@contextmanager
def begun_in(folder: Path, overwrite: bool, resume: bool) -> Iterator[Start]:
    """Hold an output folder for all processes of a run, and find where it begins or goes on.

    Raises:
        LikelyError: another run is in it, or this one may not write to it or has nothing to resume.
    """
    with ExitStack() as held:

        def begin() -> Start:
            check_folder(folder)
            held.enter_context(alone_in(folder))
            return check_output(folder, overwrite, resume)

        yield by_first(begin)


def run_facts(config: RunConfig, precision: Precision, train: list[EncodedRecord]) -> dict[str, Any]:
    """Return what a run is made with, but for the base model's weights; see `resume`."""
    files = files_of(config)
    assert files.train
    evaluates = config.eval_strategy != "no" and files.eval is not None
    return facts_of(
        config,
        precision=str(precision),
        prompts=tokens_of(train),
        train_data=content_of(files.train, files.columns),
        eval_data=content_of(files.eval, files.columns) if evaluates and files.eval else None,
        processes=count_devices(),
        steps=total_steps(config, len(train)),
    )


def go_on(start: Start, facts: dict[str, Any], tell: OnNote) -> None:
    """Say where a run goes on, and what has changed since its checkpoint was written.

    Raises:
        LikelyError: so much that it would be another run.
    """
    if start.checkpoint is None:
        return
    check_same_run(start.made_with, facts, start.checkpoint.name)
    for line in (*start.notes, *applied_changes(start.made_with, facts, start.checkpoint.name)):
        tell("Resume", line)


def own_callbacks(config: RunConfig, start: Start, clock: "Clock", request: StopRequest) -> "list[TrainerCallback]":
    """Return what every run does around its steps: it keeps its best evaluation, and ends in one of several ways."""
    from likely.training import callbacks as ours

    metric, greater = config.metric_for_best_model, config.greater_is_better
    callbacks: list[TrainerCallback] = []
    if config.max_minutes:
        callbacks.append(ours.StopAfter(config.max_minutes, clock))
    if config.eval_strategy != "no":
        callbacks.append(ours.KeepBest(metric, greater))
        if config.early_stopping_patience:
            callbacks.append(ours.StopWithoutBetter(config.early_stopping_patience, metric, greater))
    callbacks += [ours.EvaluateAtEnd(), ours.StopOnRequest(request)]
    if start.checkpoint:
        callbacks.append(ours.GoOn(start.best_is_lost))
    return callbacks


def run_name_of(config: RunConfig, start: Start) -> str:
    """Return the name of a run's logs: as configured, or as before a resume, or the time."""
    before = str(start.about.get("run_name") or "")
    return config.run_name or (before if is_plain_name(before) else "") or time.strftime("%Y-%m-%d_%H-%M-%S")


@contextmanager
def logged(config: RunConfig, trainer: "AnswerTrainer", start: Start, run_name: str) -> Iterator[None]:
    """Write the curves of a training for TensorBoard, in the place of those after the step that it goes on from.

    Nothing is written where `report_to` does not name it; what else it names, transformers tells.
    """
    from torch.utils.tensorboard import SummaryWriter
    from transformers.integrations import TensorBoardCallback

    if "tensorboard" not in config.report_to or not is_first_process():
        yield
        return
    after = step_of(start.checkpoint) + 1 if start.checkpoint else None
    folder = str(trainer.output_dir / "logs" / run_name)
    with _threads_leave_it_to_us(), SummaryWriter(folder, purge_step=after) as writer:
        trainer.add_callback(TensorBoardCallback(writer))
        yield


@contextmanager
def _threads_leave_it_to_us() -> Iterator[None]:
    """Keep the traceback of a thread that could not write off the terminal; TensorBoard's raises it here as well."""
    before = threading.excepthook

    def hook(what: threading.ExceptHookArgs) -> None:
        if not isinstance(what.exc_value, OSError):
            before(what)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before


def take_steps(
    config: RunConfig,
    trainer: "AnswerTrainer",
    start: Start,
    run_name: str,
    request: StopRequest,
    tell: OnNote,
) -> None:
    """Train to the end, or to the step in which somebody asks to stop.

    Raises:
        LikelyError: the loss is not finite, or a checkpoint cannot be written.
        StoppedError: somebody asked, and all is saved.
    """
    folder = trainer.output_dir
    with together(), saying_why("A training", folder):
        if is_first_process():
            (tidy if start.checkpoint else clear)(folder)
    told = partial(tell, "Stopping")
    with (
        saying_why("The log of the training", folder),
        logged(config, trainer, start, run_name),
        listening(request, told),
    ):
        trainer.train(resume_from_checkpoint=str(start.checkpoint) if start.checkpoint else None)
    if request.is_met:
        raise StoppedError(
            f"Stopped after step {trainer.state.global_step} of {trainer.state.max_steps}, which is saved in {folder}.",
            request.exit_status,
        )
