"""An evaluation on disk: figures in one file, rows in another, each whole or not there."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from likely.data.records import Record
from likely.errors import LikelyError
from likely.evaluation.contest import Evaluation, System, SystemResult
from likely.files import replacing

FIGURES_FILE, ROWS_FILE = "evaluation.json", "evaluation_rows.jsonl"


def save_evaluation(folder: Path, evaluation: Evaluation) -> None:
    """Write evaluation.json and evaluation_rows.jsonl, each of them whole or not at all.

    The figures are one object with a list of results. The rows are one object each: user, truth, P(Yes) and
    what was said ("Yes", "No" or null for neither) by name of the system, and the record.

    Args:
        folder: of the run; has to be there.
        evaluation: what to write.
    """
    digest = hashlib.sha256()
    with replacing(folder / ROWS_FILE) as out:
        for line in _row_lines(evaluation):
            out.write(line)
            digest.update(line.encode())
    figures = {
        "rows": len(evaluation.records),
        "users": len(set(evaluation.users)),
        "best_baseline": evaluation.best_baseline,
        "standings": [_result_to_json(result) for result in evaluation.results],
        "rows_file": {"name": ROWS_FILE, "sha256": digest.hexdigest()},
    }
    with replacing(folder / FIGURES_FILE) as out:
        out.write(json.dumps(figures, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def load_evaluation(folder: Path) -> Evaluation:
    """Read what :func:`save_evaluation` wrote.

    Raises:
        LikelyError: a file is missing, damaged, of another version, or belongs to another evaluation.
    """
    figures_path, rows_path = folder / FIGURES_FILE, folder / ROWS_FILE
    try:
        figures = json.loads(figures_path.read_text(encoding="utf-8"))
        rows_text = rows_path.read_bytes()
        if hashlib.sha256(rows_text).hexdigest() != figures["rows_file"]["sha256"]:
            raise LikelyError(f"{rows_path} is not of the evaluation in {FIGURES_FILE}; run likely evaluate again.")
        rows = [json.loads(line) for line in rows_text.decode().split("\n")[:-1]]
        results = [_result_from_json(entry, rows) for entry in figures["standings"]]
        best_baseline = str(figures["best_baseline"])
    except FileNotFoundError as error:
        raise LikelyError(f"{error.filename} does not exist; make it with likely evaluate.") from None
    except (KeyError, TypeError, ValueError) as error:
        raise LikelyError(
            f"{figures_path} is damaged or of another version of likely; run likely evaluate again."
        ) from error
    return Evaluation(
        [_record_from_json(row["record"]) for row in rows],
        np.array([row["liked"] for row in rows], dtype=bool),
        [row["user"] for row in rows],
        results,
        best_baseline,
    )


def kinds_in(folder: Path) -> set[str]:
    """Return which kinds of systems the figures in a folder are of; none where there are no readable ones."""
    try:
        results = json.loads((folder / FIGURES_FILE).read_text(encoding="utf-8"))["standings"]
        return {entry["kind"] for entry in results}
    except (OSError, KeyError, TypeError, ValueError):
        return set()


def _row_lines(evaluation: Evaluation) -> Iterable[str]:
    systems = [result.system for result in evaluation.results]
    for place, record in enumerate(evaluation.records):
        said = {
            system.name: "Yes" if system.says_yes[place] else "No" if system.says_no[place] else None
            for system in systems
        }
        line = {
            "row": place + 1,
            "user": evaluation.users[place],
            "liked": bool(evaluation.liked[place]),
            "p_yes": {system.name: float(system.p_yes[place]) for system in systems},
            "says": said,
            "record": {**vars(record), "extra": dict(record.extra)},
        }
        yield json.dumps(line, ensure_ascii=False) + "\n"


def _record_from_json(values: Mapping[str, Any]) -> Record:
    return Record(**{**values, "history": tuple((turn[0], turn[1]) for turn in values["history"])})


def _result_to_json(result: SystemResult) -> dict[str, Any]:
    return {
        "name": result.system.name,
        "kind": result.system.kind,
        "metrics": {name: _null(value) for name, value in result.metrics.items()},
        "intervals": {name: [_null(end) for end in ends] for name, ends in result.intervals.items()},
        "difference": None if result.difference is None else [_null(value) for value in result.difference],
        "differences": {name: [_null(value) for value in values] for name, values in result.differences.items()},
    }


def _result_from_json(entry: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> SystemResult:
    name, difference = entry["name"], entry["difference"]
    said = [row["says"][name] for row in rows]
    system = System(
        name,
        entry["kind"],
        np.array([row["p_yes"][name] for row in rows], dtype=float),
        np.array([answer == "Yes" for answer in said], dtype=bool),
        np.array([answer == "No" for answer in said], dtype=bool),
    )
    intervals = {metric: (_number(low), _number(high)) for metric, (low, high) in entry["intervals"].items()}
    return SystemResult(
        system,
        {metric: _number(value) for metric, value in entry["metrics"].items()},
        intervals,
        None if difference is None else _difference_from_json(difference),
        {baseline: _difference_from_json(values) for baseline, values in entry.get("differences", {}).items()},
    )


def _difference_from_json(values: Sequence[float | None]) -> tuple[float, float, float]:
    return _number(values[0]), _number(values[1]), _number(values[2])


def _null(value: float) -> float | None:
    """Return a figure as JSON has it, which knows no nan."""
    return value if math.isfinite(value) else None


def _number(value: float | None) -> float:
    return math.nan if value is None else value
