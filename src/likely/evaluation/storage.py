"""An evaluation on disk: figures in one file, rows in another, each whole or not there."""

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict

from likely.data.records import Record, row_number
from likely.errors import LikelyError
from likely.evaluation.contest import Estimate, Evaluation, Kind, Ranking, Stratum, System, SystemResult
from likely.files import replacing

FIGURES_FILE, ROWS_FILE = "evaluation.json", "evaluation_rows.jsonl"


def _nan_for_null(value: Any) -> Any:
    """Return a figure, or several, as they were before JSON, which has null for nan."""
    if isinstance(value, list):
        return [_nan_for_null(figure) for figure in value]
    if isinstance(value, dict):
        return {name: _nan_for_null(figure) for name, figure in value.items()}
    return math.nan if value is None else value


_Figure = Annotated[float, BeforeValidator(_nan_for_null)]
_Interval = Annotated[tuple[float, float], BeforeValidator(_nan_for_null)]
_Difference = Annotated[Estimate, BeforeValidator(_nan_for_null)]
_Stratum = Annotated[Stratum, BeforeValidator(_nan_for_null)]
_Ranking = Annotated[Ranking, BeforeValidator(_nan_for_null)]


class _Standing(BaseModel):
    """Figures of a system, as evaluation.json has them."""

    name: str
    kind: Kind
    metrics: dict[str, _Figure]
    intervals: dict[str, _Interval]
    difference: _Difference | None
    differences: dict[str, _Difference] = {}
    beside_auc: dict[str, _Difference] = {}


class _Figures(BaseModel):
    """All of evaluation.json."""

    rows: int
    users: int
    effective_users: float | None = None
    counted_users: dict[str, int] = {}
    best_baseline: str
    standings: list[_Standing]
    strata: list[_Stratum] = []
    ranking: _Ranking | None = None
    tied_rows: int = 0
    comparisons: int = 0
    notes: list[str] = []
    adapter: str | None = None
    rows_file: dict[str, str]


class _Row(BaseModel):
    """A line of evaluation_rows.jsonl: P(Yes) and what was said, None for neither, by name of the system."""

    # Parquet may hold bytes beside a record, and few of them are text.
    model_config = ConfigDict(ser_json_bytes="base64")

    row: int
    user: str
    liked: bool
    p_yes: dict[str, float]
    says: dict[str, Literal["Yes", "No"] | None]
    record: Record


def save_evaluation(folder: Path, evaluation: Evaluation, adapter: str | None = None) -> None:
    """Write evaluation.json and evaluation_rows.jsonl, each of them whole or not at all.

    Args:
        folder: of the run; has to be there.
        evaluation: what to write.
        adapter: what stands for the adapter that was evaluated (`model.fingerprint`), where there was one.
    """
    digest = hashlib.sha256()
    with replacing(folder / ROWS_FILE) as out:
        for place in range(len(evaluation.records)):
            line = _row_of(evaluation, place).model_dump_json(exclude={"record": {"place"}}) + "\n"
            out.write(line)
            digest.update(line.encode())
    figures = _Figures(
        rows=len(evaluation.records),
        users=len(set(evaluation.users)),
        effective_users=evaluation.effective_users,
        counted_users=evaluation.counted_users,
        best_baseline=evaluation.best_baseline,
        standings=[
            _Standing(name=result.system.name, kind=result.system.kind, **vars(result)) for result in evaluation.results
        ],
        strata=list(evaluation.strata),
        ranking=evaluation.ranking,
        tied_rows=evaluation.tied_rows,
        comparisons=evaluation.comparisons,
        notes=list(evaluation.notes),
        adapter=adapter,
        rows_file={"name": ROWS_FILE, "sha256": digest.hexdigest()},
    )
    with replacing(folder / FIGURES_FILE) as out:
        out.write(figures.model_dump_json(indent=2) + "\n")


def load_evaluation(folder: Path) -> Evaluation:
    """Read what :func:`save_evaluation` wrote.

    Raises:
        LikelyError: a file is missing, damaged, of another version, or belongs to another evaluation.
    """
    figures_path, rows_path = folder / FIGURES_FILE, folder / ROWS_FILE
    try:
        figures = _Figures.model_validate_json(figures_path.read_bytes())
        lines = rows_path.read_bytes()
        if hashlib.sha256(lines).hexdigest() != figures.rows_file["sha256"]:
            raise LikelyError(f"{rows_path} is not of the evaluation in {FIGURES_FILE}; run likely evaluate again.")
        rows = [_Row.model_validate_json(line) for line in lines.split(b"\n")[:-1]]
        results = [_result_of(standing, rows) for standing in figures.standings]
    except FileNotFoundError as error:
        raise LikelyError(f"{error.filename} does not exist; make it with likely evaluate.") from None
    except (OSError, KeyError, ValueError) as error:
        raise LikelyError(
            f"{figures_path} is damaged or of another version of likely; run likely evaluate again."
        ) from error
    liked = np.array([row.liked for row in rows], dtype=bool)
    records, users = [row.record for row in rows], [row.user for row in rows]
    best, strata, ranking = figures.best_baseline, figures.strata, figures.ranking
    return Evaluation(records, liked, users, results, best, strata, ranking, figures.notes)


def kinds_in(folder: Path) -> set[str]:
    """Return which kinds of systems the figures in a folder are of; none where there are no readable ones."""
    figures = _figures_in(folder)
    return {standing.kind for standing in figures.standings} if figures else set()


def adapter_in(folder: Path) -> str | None:
    """Return what stands for the adapter that the figures in a folder are of; None where they do not say."""
    figures = _figures_in(folder)
    return figures.adapter if figures else None


def _figures_in(folder: Path) -> _Figures | None:
    try:
        return _Figures.model_validate_json((folder / FIGURES_FILE).read_bytes())
    except (OSError, ValueError):
        return None


def _row_of(evaluation: Evaluation, place: int) -> _Row:
    systems = [result.system for result in evaluation.results]
    return _Row(
        row=row_number(evaluation.records[place], place),
        user=evaluation.users[place],
        liked=evaluation.liked[place],
        p_yes={system.name: system.p_yes[place] for system in systems},
        says={
            system.name: "Yes" if system.says_yes[place] else "No" if system.says_no[place] else None
            for system in systems
        },
        record=evaluation.records[place],
    )


def _result_of(standing: _Standing, rows: Sequence[_Row]) -> SystemResult:
    said = [row.says[standing.name] for row in rows]
    system = System(
        standing.name,
        standing.kind,
        np.array([row.p_yes[standing.name] for row in rows], dtype=float),
        np.array([answer == "Yes" for answer in said], dtype=bool),
        np.array([answer == "No" for answer in said], dtype=bool),
    )
    figures = (standing.metrics, standing.intervals, standing.difference, standing.differences, standing.beside_auc)
    return SystemResult(system, *figures)
