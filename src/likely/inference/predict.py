"""P(Yes) of a file of records without answers, however large: its columns in its order, and the scores beside them.

Reads the file in windows (`data.row_files`), asks a finished run about each (`loaded_run`), keeps what is done
(`scores_in_progress`) and writes the scored file (`scored_file`) for `cli.predict`. Records that share a beginning are
computed together as far as they stand in the same window.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

from likely.config.run_config import RunConfig
from likely.data.dataset_info import Columns
from likely.data.records import Labels, Record, records_of
from likely.data.row_files import iter_rows
from likely.data.run_data import labels_of
from likely.data.task import CONFIG_FILE, columns_of, digest_of
from likely.encoding.prompt import EncodedRecord
from likely.inference.loaded_run import LoadedRun, config_of
from likely.inference.precision_here import settled
from likely.inference.scored_file import check_output, look_through, write_scored
from likely.inference.scores_in_progress import MadeWith, ScoresInProgress
from likely.inference.trained_on import check_adapter, notes_on_date
from likely.locking import alone_at
from likely.model.answers import FloatRows
from likely.model.fingerprint import adapter_of
from likely.model.scoring import Progress

WINDOW = 2048
"""Records that are encoded, scored and kept together."""

ASKED_BY = (
    *("model_name_or_path", "model_revision", "dtype", "quantization_bit", "cutoff_len"),
    *("prompt_date", "positive_label", "negative_label"),
)
"""Keys on which it depends what an adapter says of a record, once the precision is settled."""

NAMES_BASE = ("model_name_or_path", "model_revision")
"""Those of them by which a base model is found, which `trained_on` compares itself."""

P_YES, ANSWER, BASE_P_YES = "p_yes", "answer", "base_p_yes"

Load = Callable[[Path, RunConfig], LoadedRun]
"""Gives the run of a folder."""


@dataclass(frozen=True)
class Mixing:
    """How the adapter's P(Yes) and more than that become the run's answer.

    Attributes:
        answer: gives the run's answer to records, float64 [records], from them and the adapter's P(Yes).
        made_with: tells it from others.
        adapter: what stands for the one whose P(Yes) it takes (`model.fingerprint`).
    """

    answer: Callable[[Sequence[Record], FloatRows], FloatRows]
    made_with: str
    adapter: str


@dataclass(frozen=True)
class Prediction:
    """What was done.

    Attributes:
        rows: of the file.
        kept: how many of them an earlier command had scored.
        shortened: how many of the others had to lose old history to fit.
        notes: what a person should know of the scores, a sentence each.
    """

    rows: int
    kept: int
    shortened: int
    notes: tuple[str, ...] = ()


def predict(
    folder: Path | str,
    data: Path,
    output: Path,
    config: RunConfig | None = None,
    with_base: bool = False,
    resume: bool = False,
    on_progress: Progress | None = None,
    load: Load | None = None,
    mixing: Mixing | None = None,
) -> Prediction:
    """Score the records of a file, and write them with their scores once all are done.

    Args:
        folder: of a finished run.
        data: records; answers that they have count for nothing.
        output: file ending in .parquet, .csv or .jsonl.
        config: other knobs than those of the run.
        with_base: whether the base model is asked too.
        resume: keep the scores of a command that did not finish.
        on_progress: told after every forward pass how many answers there are, and of how many.
        load: gives the run where one file after the other is scored with it; by default it is loaded anew.
        mixing: gives the run's answer, which stands beside the scores in a column of its own; None without.

    Raises:
        LikelyError: the file or the run cannot be read, a record does not fit, the scores cannot be written, there
            are some of another command, or one is writing them; most of it before the model is loaded.
    """
    check_output(output, data)
    with alone_at(output):
        folder = Path(folder)
        config, load = config or config_of(folder), load or LoadedRun.load
        columns = columns_of(folder)
        added = [P_YES, *([ANSWER] if mixing else []), *([BASE_P_YES] if with_base else [])]
        shape = look_through(data, labels_of(config), columns, added)
        config = settled(folder, config)
        scores = ScoresInProgress.beside(output, WINDOW)
        origin = made_with(folder, config, data, with_base, mixing)
        if mixing:
            check_adapter(folder, mixing.adapter, str(origin["adapter"]))
        kept, day = scores.begin(origin, resume)
        shortened, notes = 0, tuple[str, ...]()
        if kept < shape.rows:
            # A run of an earlier version may have kept no day, and one file's prompts are all of one.
            run = load(folder, config.model_copy(update={"prompt_date": config.prompt_date or day}))
            check_adapter(folder, str(origin["adapter"]), run.adapter)
            notes = tuple(dict.fromkeys((*notes_on_date(folder, config, run.builder), *run.notes)))
            windows = _windows(data, run.builder.labels, columns, kept)
            for done, window in zip(count(kept, WINDOW), windows, strict=False):
                encoded = run.encode(window)
                run.check(encoded)
                said = _ask(run, encoded, 1 + with_base, done, shape.rows, on_progress)
                scores.append([said[0], *([mixing.answer(window, said[0])] if mixing else []), *said[1:]])
                shortened += sum(record.dropped_lines > 0 for record in encoded)
        write_scored(output, data, shape, added, scores.read(), origin)
        scores.path.unlink()
        return Prediction(shape.rows, kept, shortened, notes)


def _windows(data: Path, labels: Labels, columns: Columns, first: int) -> Iterator[list[Record]]:
    """Yield the records of a file from a row on, so many at once."""
    records = islice(records_of(iter_rows(data), data, labels, columns, answered=False), first, None)
    while window := list(islice(records, WINDOW)):
        yield window


def _ask(
    run: LoadedRun, encoded: Sequence[EncodedRecord], models: int, before: int, rows: int, on_progress: Progress | None
) -> list[FloatRows]:
    """Return P(Yes) of the adapter, and if two models are asked that of the base model.

    Args:
        run: that is asked.
        encoded: a window of records.
        models: how many are asked.
        before: rows before the window.
        rows: of the whole file.
        on_progress: told how many answers there are.
    """
    said = []
    for asked in range(models):
        already = before * models + asked * len(encoded)

        def tell(done: int, _: int, already: int = already) -> None:
            if on_progress:
                on_progress(already + done, rows * models)

        said.append(run.answers(encoded, adapter=asked == 0, on_progress=tell).p_yes)
    return said


def asked_otherwise(folder: Path, config: RunConfig) -> list[str]:
    """Return the keys by which a configuration asks a run's adapter otherwise than the run's own does, if it has one.

    Who reads the run's own gets other figures of the adapter than a run's answer that was fitted by this one.
    """
    if not (folder / CONFIG_FILE).is_file():
        return []
    own = asked_by(config_of(folder))
    return [key for key, now in asked_by(config).items() if now != own[key]]


def asked_by(config: RunConfig) -> dict[str, str]:
    """Return how a configuration asks an adapter, whatever its base model is called."""
    return {key: str(getattr(config, key)) for key in (*ASKED_BY, "four_bit_on_cpu") if key not in NAMES_BASE}


def made_with(folder: Path, config: RunConfig, data: Path, with_base: bool, mixing: Mixing | None = None) -> MadeWith:
    """Return what the scores of a file depend on; arguments as of :func:`predict`, the precision settled."""
    return {
        "records": digest_of(data)[:16],
        "columns": repr(columns_of(folder)),
        "adapter": adapter_of(folder),
        **{key: getattr(config, key) for key in ASKED_BY},
        "prompt_date": str(config.prompt_date),
        "--base": with_base,
        **({"blend": mixing.made_with} if mixing else {}),
    }
