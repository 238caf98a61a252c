"""The records of all studies: the same candidates of the same users in every window and wording.

Takes ratings and leaves a folder a window and wording, with train.parquet and eval.parquet, and counts.json, which says
what every setting computes.
"""

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.pretrained_studies.studies import Setting, all_settings
from benchmarks.pretrained_studies.wordings import WORDINGS, as_it_is
from likely.data.preparation import prepare
from likely.data.protocol import SplitProtocol
from likely.data.ratings import RatingTable
from likely.data.records import CUT_AT_ANCHORS, Labels, Record, read_records, write_records
from likely.data.run_data import subset_of_users
from likely.encoding.batches import Budget, plan_rows
from likely.encoding.order import choose_runs, shared_runs, shuffled_groups
from likely.encoding.prompt import EncodedRecord, PromptBuilder
from likely.encoding.saving import epoch_saving
from likely.model.base import attention_share, load_tokenizer

WINDOWS = {
    "15": SplitProtocol(),
    "60": SplitProtocol(history_length=60),
    "all": SplitProtocol(window="all"),
    "8-hints": SplitProtocol(history_length=8, hints=True),
    "8-short-hints": SplitProtocol(history_length=8, hints=True, short_hints=True, candidate_line=True),
    "15-hints": SplitProtocol(hints=True),
    "15-short-hints": SplitProtocol(hints=True, short_hints=True, candidate_line=True),
}
"""Histories of 15 to 29 movies, of 60 to 119, and of all, trained on the same candidates; and with hints histories of 8
to 15, as the demo, and of 15 to 29, as the CPU preset, each trained on a choice of its own."""

REWORDED = ("15", "8-hints", "15-hints")
"""Windows that are written in all wordings."""

CHOSEN_BY = 42
"""Seed of the choice of records, that of the presets."""

COUNTS = "counts.json"


@dataclass(frozen=True)
class Count:
    """What a run computes.

    Attributes:
        records: trained on, in an epoch.
        tokens_alone: of these, without sharing.
        tokens: of these, in the trees of an epoch.
        passes: of an epoch.
        evaluated: rows of an evaluation.
        evaluated_tokens: of these, in trees.
    """

    records: int
    tokens_alone: int
    tokens: int
    passes: int
    evaluated: int
    evaluated_tokens: int


def prepare_records(data: RatingTable, model: str, folder: Path, records: int, evaluated: int | None) -> None:
    """Write the records of all windows and wordings, chosen as `max_samples` would from those of the first window.

    Training records with hints are chosen from those of the first window of their length. All eval rows ask about the
    same candidates.

    Args:
        data: ratings and items.
        model: folder; its tokenizer tells which records are of one history.
        folder: where to.
        records: to train on.
        evaluated: most eval rows, of whole users; None for all.
    """
    trained: dict[int | None, list[str]] = {}
    asked: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        for window, protocol in WINDOWS.items():
            prepare(data, Path(scratch), protocol, file_format="parquet")
            parts = {part: read_records(Path(scratch) / f"{part}.parquet", Labels()) for part in ("train", "eval")}
            own = protocol.history_length if protocol.hints else None
            if own not in trained:
                trained[own] = keys_of(_chosen_runs(parts["train"], _builder(model), records))
            asked = asked or keys_of(subset_of_users(parts["eval"], evaluated, CHOSEN_BY))
            chosen = {"train": trained[own], "eval": asked}
            wordings = WORDINGS if window in REWORDED else {"": as_it_is}
            for part, (name, reword) in ((part, pair) for part in parts for pair in wordings.items()):
                kept = _picked(parts[part], chosen[part])
                (folder / f"{window}{name}").mkdir(parents=True, exist_ok=True)
                write_records(
                    folder / f"{window}{name}" / f"{part}.parquet",
                    (_row(replace(record, input=reword(record.input))) for record in kept),
                )


def keys_of(records: Iterable[Record]) -> list[str]:
    """Return whose records they are and about what, which nobody is asked twice."""
    return [f"{record.user_id} {record.item_id}" for record in records]


def read_part(folder: Path, records: str, part: str) -> list[Record]:
    """Return the `train` or `eval` records of a window and wording."""
    return read_records(folder / records / f"{part}.parquet", Labels())


def _chosen_runs(records: Sequence[Record], builder: PromptBuilder, most: int) -> list[Record]:
    runs = shared_runs(builder.encode_all(records))
    return [records[index] for index in choose_runs(runs, most, CHOSEN_BY)]


def _picked(records: Sequence[Record], keys: Sequence[str]) -> list[Record]:
    by_key = dict(zip(keys_of(records), records, strict=True))
    return [by_key[key] for key in keys]


def _row(record: Record) -> dict[str, Any]:
    long = {CUT_AT_ANCHORS: True} if record.is_cut_at_anchors else {}
    texts = {"instruction": record.instruction, "input": record.input, "output": record.output}
    return {**texts, "user_id": record.user_id, "item_id": record.item_id, **long}


def _builder(model: str, cutoff_len: int = 1024) -> PromptBuilder:
    return PromptBuilder(load_tokenizer(model), Labels(), cutoff_len)


def count_all(folder: Path, model: str) -> dict[Setting, Count]:
    """Count what an epoch of every setting computes, with a model's tokenizer and shapes, planned as on a GPU."""
    share = _share_of(model)
    counts = {}
    encoded: dict[tuple[str, int], dict[str, list[EncodedRecord]]] = {}
    for setting in all_settings():
        key = (setting.records, setting.cutoff_len)
        if key not in encoded:
            builder = _builder(model, setting.cutoff_len)
            encoded[key] = {
                part: builder.encode_all(read_part(folder, setting.records, part)) for part in ("train", "eval")
            }
        train, evaluated = encoded[key].values()
        order = shuffled_groups(shared_runs(train), setting.group_size, setting.step, seed=0)
        saving = epoch_saving(train, order, setting.step, "tree", Budget(setting.pass_tokens, share, multiple=32))
        rows = plan_rows(evaluated, "tree", Budget(max(8 * 1024, setting.cutoff_len), share, multiple=32))
        computed = sum(row.width for row in rows)
        counts[setting] = Count(len(train), saving.tokens_alone, saving.tokens, saving.passes, len(evaluated), computed)
    return counts


def _share_of(model: str) -> float:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("meta"):
        return attention_share(AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(model)))


def write_counts(folder: Path, counts: Mapping[Setting, Count]) -> None:
    lines = [{"setting": asdict(setting), "count": asdict(count)} for setting, count in counts.items()]
    (folder / COUNTS).write_text(json.dumps(lines, indent=1) + "\n", encoding="utf-8")


def read_counts(folder: Path) -> dict[Setting, Count]:
    return dict(_counts_in(json.loads((folder / COUNTS).read_text(encoding="utf-8"))))


def _counts_in(lines: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Setting, Count]]:
    for line in lines:
        yield Setting(**line["setting"]), Count(**line["count"])
