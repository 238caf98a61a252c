"""A run's answer in its folder: the weights of adapter and counting, and what counting needs to know of items.

`cli.evaluate` writes what `answer` has fitted, and `answering` asks it. Four files, read without trusting them:
blend.json says what it is made of and how good it is, and three tables are Parquet: of items, of the ratings that tell
which of them are alike, and of the nodes of trees.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from pydantic import BaseModel, FiniteFloat

from likely.config.run_config import RunConfig
from likely.data.table_file import UNREADABLE
from likely.data.task import BLEND_FILE, BLEND_FILES, CONFIG_FILE, RatingsTask, digest_of, read_task
from likely.errors import LikelyError
from likely.evaluation import item_facts, kept_trees
from likely.evaluation.answer import Fitted
from likely.evaluation.counting import PARTS, Counting, tree_columns
from likely.evaluation.item_facts import ItemFacts
from likely.evaluation.kept_trees import KeptTrees
from likely.evaluation.stacking import Stack
from likely.evaluation.tally import Totals
from likely.files import replacing, replacing_bytes, writing
from likely.inference.loaded_run import config_of
from likely.inference.predict import asked_by
from likely.model.fingerprint import adapter_of

_, ITEMS_FILE, LIKENESS_FILE, TREES_FILE = BLEND_FILES
ADAPTER = "adapter"
FORMAT = 2
"""Of blend.json and the tables; the first one had no number."""

REMEDY = "run likely evaluate again, or remove blend.json to do without"


class _Weights(BaseModel):
    """Weights of log-odds, by part; all are 0 or above."""

    intercept: FiniteFloat
    weights: dict[str, FiniteFloat]


class _Format(BaseModel):
    """What says whether the rest can be read."""

    format: int = 1


class _Blend(BaseModel):
    """All of blend.json."""

    format: int
    answer: _Weights
    counting: _Weights
    fitted_on: dict[str, int]
    on_these_rows: dict[str, float]
    hints: bool
    details: list[str]
    told_details: list[str]
    totals: Totals
    factors_start: FiniteFloat
    trees_start: FiniteFloat
    adapter: str
    asked_by: dict[str, str] | None = None
    sha256: dict[str, str]


@dataclass(frozen=True)
class Blend:
    """What a run answers with.

    Attributes:
        counting: the parts beside the adapter.
        alone: weights of these parts.
        together: weights of these parts and, last, the adapter.
        task: what the run's records ask.
        made_with: tells this blend from others.
        adapter: that it was fitted with.
    """

    counting: Counting
    alone: Stack
    together: Stack
    task: RatingsTask
    made_with: str
    adapter: str


def save_blend(folder: Path, fitted: Fitted, adapter: str, config: RunConfig) -> None:
    """Write what was fitted into a run's folder; blend.json last, which says that the others are whole.

    Args:
        folder: of the run.
        fitted: what is kept.
        adapter: that it was fitted with, as it was loaded.
        config: by which that was asked.

    Raises:
        LikelyError: it cannot be written.
    """
    facts, trees = fitted.counting.facts, fitted.counting.trees
    tables = {ITEMS_FILE: facts.table, LIKENESS_FILE: facts.likeness, TREES_FILE: trees.nodes}
    for name, table in tables.items():
        content = io.BytesIO()
        table.write_parquet(content)
        with writing(folder / name), replacing_bytes(folder / name) as out:
            out.write(content.getvalue())
    kept = _Blend(
        format=FORMAT,
        answer=_Weights(
            intercept=fitted.together.intercept,
            weights=dict(zip((*PARTS, ADAPTER), fitted.together.weights, strict=True)),
        ),
        counting=_Weights(
            intercept=fitted.alone.intercept, weights=dict(zip(PARTS, fitted.alone.weights, strict=True))
        ),
        fitted_on={"eval_rows": fitted.rows, "users": fitted.users},
        on_these_rows=fitted.figures,
        hints=fitted.counting.hinted,
        details=list(facts.details),
        told_details=list(facts.told_details),
        totals=facts.totals,
        factors_start=facts.overall,
        trees_start=trees.start,
        adapter=adapter,
        asked_by=asked_by(config),
        sha256={name: digest_of(folder / name) for name in tables},
    )
    with replacing(folder / BLEND_FILE) as out:
        out.write(kept.model_dump_json(indent=2) + "\n")


def load_blend(folder: Path) -> Blend | None:
    """Read a run's blend; None where it has none.

    Raises:
        LikelyError: it is damaged, or of another adapter than the run's, or of one that was asked by other settings.
    """
    path = folder / BLEND_FILE
    if not path.exists():
        return None
    try:
        content = path.read_bytes()
        if _Format.model_validate_json(content).format != FORMAT:
            raise LikelyError(f"{path} was written by another version of likely, which counted otherwise; {REMEDY}.")
        kept = _Blend.model_validate_json(content)
        tables = {name: _table(folder / name, kept.sha256[name], schema) for name, schema in SCHEMAS.items()}
        together, alone = _stack(kept.answer, (*PARTS, ADAPTER)), _stack(kept.counting, PARTS)
        trees = KeptTrees(kept.trees_start, tables[TREES_FILE])
        trees.check(tree_columns(kept.hints))
        facts = ItemFacts(
            tables[ITEMS_FILE],
            kept.details,
            kept.factors_start,
            tables[LIKENESS_FILE],
            kept.told_details,
            kept.totals,
        )
        facts.check()
    except (OSError, ValueError, KeyError, *UNREADABLE) as error:
        damaged = "or a table beside it is damaged or of another version of likely"
        raise LikelyError(f"{path} {damaged}; {REMEDY}.") from error
    task = read_task(folder)
    if kept.adapter != adapter_of(folder) or not isinstance(task, RatingsTask):
        raise LikelyError(f"{path} was fitted with another adapter than that in {folder}; {REMEDY}.")
    own = asked_by(config_of(folder)) if (folder / CONFIG_FILE).is_file() else {}
    changed = [key for key, now in own.items() if (kept.asked_by or {}).get(key, now) != now]
    if changed:
        raise LikelyError(
            f"{path} was fitted to an adapter that was asked by other settings ({', '.join(changed)}) than config.yaml "
            f"beside it has now; set them back, or {REMEDY}."
        )
    counting = Counting(trees, facts, kept.hints, task.words)
    return Blend(counting, alone, together, task, digest_of(path)[:16], kept.adapter)


SCHEMAS: Mapping[str, Mapping[str, pl.DataType]] = {
    ITEMS_FILE: item_facts.SCHEMA,
    LIKENESS_FILE: item_facts.LIKENESS_SCHEMA,
    TREES_FILE: kept_trees.SCHEMA,
}


def _table(path: Path, digest: str, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Read a table as it was written.

    Raises:
        ValueError: it is another one.
    """
    if digest_of(path) != digest:
        raise ValueError(f"{path} is not the file that was written")
    table = pl.read_parquet(path, use_statistics=False, memory_map=False)
    if table.schema != pl.Schema(schema):
        raise ValueError(f"{path} has other columns")
    return table


def _stack(kept: _Weights, parts: tuple[str, ...]) -> Stack:
    return Stack(kept.intercept, tuple(kept.weights[part] for part in parts))
