"""The verbs of the command, for Python: each joins the layers that the command joins, and prints nothing.

They take names as the command does, and raise :class:`likely.errors.LikelyError` for what a user can get wrong.
`likely` itself shows them. What is heavy is imported by the verb that needs it: to prepare records takes no model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from transformers import TrainerCallback

    from likely.config.run_config import RunConfig
    from likely.config.table_config import TableConfig
    from likely.data.preparation import Preparation
    from likely.evaluation.run import Findings
    from likely.inference.exporting.merged import Exported
    from likely.training.run import MetricsOf, TrainedRun
    from likely.training.stretch import OnNote


def prepare(
    source: str | Path | Mapping[str, Any],
    output: str | Path,
    *,
    like_threshold: float | None = None,
    history_len: int = 15,
    window: str = "anchored",
    warmup: int | None = None,
    hints: bool = False,
    short_hints: bool = False,
    candidate_line: bool = False,
    split: Literal["time", "global-time"] | None = None,
    max_users: int | None = None,
    seed: int = 42,
    file_format: Literal["json", "parquet"] = "json",
) -> Preparation:
    """Turn ratings into train.json, eval.json and test.json, without leaks from the future.

    Args:
        source: folder or zip file of a release, or the name of one that is fetched, such as `ml-latest-small`; or a
            table of your own, as keys and values or the YAML file that holds them (`config.table_config`).
        output: folder of the files; those of an earlier preparation are replaced.
        like_threshold: a rating from here on is a like; None for what the table says, or for 4 on
            a scale that ends at 5.
        history_len: items of a history; an anchored window holds up to twice as many.
        window: `anchored` histories of one user share their beginning, `sliding` ones do not; `all` shows everything
            earlier, and `5H` grows to five times `history_len`.
        warmup: first ratings of a user that are only history; None for 15, or for 0 where the table is a given split.
        hints: end every record with what counting knows, in words.
        short_hints: the same in half as many words.
        candidate_line: show the candidate as a line of the history, which a tree computes once with what it becomes.
        split: `time` holds out each user's last ratings, `global-time` everybody's; None for a table's own, or `time`.
        max_users: keep a random choice of so many users; None keeps all.
        seed: of that choice, and of negatives.
        file_format: `parquet` writes train.parquet and so on, which is far smaller.

    Returns:
        What each file holds.

    Raises:
        LikelyError: the ratings cannot be had or read, a value is out of range, or the folder cannot be written.
    """
    from likely.data.preparation import prepare
    from likely.data.source import read_source
    from likely.sources.catalogue import resolve_dataset

    data, protocol = read_source(
        _named(source, {"like_threshold": like_threshold, "split": split}),
        lambda name: Path(resolve_dataset(name).location),
        warmup=warmup,
        history_length=history_len,
        window=window,
        hints=hints,
        short_hints=short_hints,
        candidate_line=candidate_line,
        like_threshold=like_threshold,
        split=split,
    )
    return prepare(data, Path(output), protocol, max_users, seed, file_format)


def _named(source: str | Path | Mapping[str, Any], options: Mapping[str, Any]) -> TableConfig | Path | str:
    """Return the table, with the options that are given; or the folder, zip or name of a release."""
    from likely.config.table_config import describe_table, load_table
    from likely.sources.catalogue import CATALOGUE

    over = {key: value for key, value in options.items() if value is not None}
    if isinstance(source, Mapping):
        return describe_table({**source, **over}, "The table")
    if Path(source).suffix in (".yaml", ".yml"):
        return load_table(Path(source), over)
    return str(source) if str(source) in CATALOGUE and not Path(source).exists() else Path(source)


def train(
    config: RunConfig,
    callbacks: Sequence[TrainerCallback] = (),
    on_note: OnNote | None = None,
    metrics_of: MetricsOf | None = None,
    resume: bool = False,
) -> TrainedRun:
    """Finetune as a configuration says and leave the run in its `output_dir`.

    Args:
        config: as `likely.load_config` gives it.
        callbacks: of transformers' Trainer, told how the training goes.
        on_note: told a title and a sentence about records, precision, attention and layout.
        metrics_of: metrics of an evaluation, from its answers and their users; `answer_metrics` if None.
        resume: go on from the newest checkpoint that is whole.

    Returns:
        Folder, figures and log of the run.

    Raises:
        LikelyError: anything that can be put right, most of it before the model is loaded.
        StoppedError: Ctrl-C or SIGTERM came; all is saved.
    """
    from likely.evaluation.metrics import answer_metrics
    from likely.training.run import train

    return train(config, metrics_of or answer_metrics, callbacks, on_note, resume)


def evaluate(
    run_folder: str | Path,
    data: str | Path | None = None,
    max_samples: int | None = None,
    with_base: bool = True,
    scores: str | Path | None = None,
    text_features: bool = True,
) -> Findings:
    """Let the base model, a finished run's adapter, baselines and what they say together answer the same records.

    Args:
        run_folder: of the run.
        data: records to answer; by default the run's test file.
        max_samples: at most so many of them, of whole users; None for all.
        with_base: whether the base model answers too, which takes half of the time.
        scores: file with another system's `p_yes` of the same records, by `user_id` and `item_id` or by `row`.
        text_features: whether counting also answers with what the base model makes of the items' texts, which takes
            minutes the first time.

    Returns:
        The figures of everybody, with intervals, and what a reader of them should know.

    Raises:
        LikelyError: the folder holds no run, or records or models cannot be read.
    """
    from likely.evaluation.run import evaluate
    from likely.model.runtime import quiet_libraries

    with quiet_libraries():
        given, theirs = Path(data) if data else None, Path(scores) if scores else None
        return evaluate(run_folder, None, given, max_samples, with_base, scores=theirs, text_features=text_features)


def export(
    run_folder: str | Path,
    output: str | Path,
    to: Literal["merged", "gguf"] = "merged",
    *,
    outtype: Literal["f32", "f16", "q8_0"] | None = None,
    data: str | Path | None = None,
) -> Exported:
    """Write a finished run as a model of its own, and check on 50 records that it answers as the adapter does.

    Args:
        run_folder: of the run.
        output: a folder that is not there yet, or empty.
        to: `merged` for a model folder, `gguf` for a file that llama.cpp and Ollama read.
        outtype: how a GGUF file holds weights; `f16` if None.
        data: records to check on; by default the run's test file.

    Returns:
        The folder, and how near it came.

    Raises:
        LikelyError: the run or the records cannot be read, or the outcome is not the run; `output` is then as it was.
    """
    from likely.data.run_data import held_out_records
    from likely.errors import LikelyError
    from likely.files import check_new
    from likely.inference.exporting.gguf_file import export_gguf
    from likely.inference.exporting.merged import ROWS, export_merged
    from likely.inference.loaded_run import config_of

    if to not in ("merged", "gguf") or (to == "merged" and outtype) or outtype not in (None, "f32", "f16", "q8_0"):
        raise LikelyError(
            f"to={to!r}, outtype={outtype!r} is not possible; to is merged, or gguf with f32, f16 or q8_0."
        )
    check_new(Path(output))
    records = held_out_records(config_of(Path(run_folder)), Path(data) if data else None, ROWS)
    if to == "gguf":
        return export_gguf(Path(run_folder), Path(output), records, outtype or "f16")
    return export_merged(Path(run_folder), Path(output), records)
