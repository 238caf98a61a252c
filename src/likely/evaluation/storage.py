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
from likely.evaluation.contest import Contest, Contestant, Standing
from likely.files import replacing

FIGURES_FILE, ROWS_FILE = "evaluation.json", "evaluation_rows.jsonl"


def save_contest(folder: Path, contest: Contest) -> None:
    """Write evaluation.json and evaluation_rows.jsonl, each of them whole or not at all.

    The figures are one object with a list of standings. The rows are one object each: user, truth, P(Yes) and
    what was said ("Yes", "No" or null for neither) by name of the contestant, and the record.

    Args:
        folder: of the run; has to be there.
        contest: what to write.
    """
    digest = hashlib.sha256()
    with replacing(folder / ROWS_FILE) as out:
        for line in _row_lines(contest):
            out.write(line)
            digest.update(line.encode())
    figures = {
        "rows": len(contest.records),
        "users": len(set(contest.users)),
        "best_baseline": contest.best_baseline,
        "standings": [_standing_to_json(standing) for standing in contest.standings],
        "rows_file": {"name": ROWS_FILE, "sha256": digest.hexdigest()},
    }
    with replacing(folder / FIGURES_FILE) as out:
        out.write(json.dumps(figures, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def load_contest(folder: Path) -> Contest:
    """Read what :func:`save_contest` wrote.

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
        standings = [_standing_from_json(entry, rows) for entry in figures["standings"]]
        best_baseline = str(figures["best_baseline"])
    except FileNotFoundError as error:
        raise LikelyError(f"{error.filename} does not exist; make it with likely evaluate.") from None
    except (KeyError, TypeError, ValueError) as error:
        raise LikelyError(
            f"{figures_path} is damaged or of another version of likely; run likely evaluate again."
        ) from error
    return Contest(
        [_record_from_json(row["record"]) for row in rows],
        np.array([row["liked"] for row in rows], dtype=bool),
        [row["user"] for row in rows],
        standings,
        best_baseline,
    )


def kinds_in(folder: Path) -> set[str]:
    """Return which kinds of contestants the figures in a folder are of; none where there are no readable ones."""
    try:
        standings = json.loads((folder / FIGURES_FILE).read_text(encoding="utf-8"))["standings"]
        return {entry["kind"] for entry in standings}
    except (OSError, KeyError, TypeError, ValueError):
        return set()


def _row_lines(contest: Contest) -> Iterable[str]:
    contestants = [standing.contestant for standing in contest.standings]
    for place, record in enumerate(contest.records):
        said = {
            contestant.name: "Yes" if contestant.says_yes[place] else "No" if contestant.says_no[place] else None
            for contestant in contestants
        }
        line = {
            "row": place + 1,
            "user": contest.users[place],
            "liked": bool(contest.liked[place]),
            "p_yes": {contestant.name: float(contestant.p_yes[place]) for contestant in contestants},
            "says": said,
            "record": {**vars(record), "extra": dict(record.extra)},
        }
        yield json.dumps(line, ensure_ascii=False) + "\n"


def _record_from_json(values: Mapping[str, Any]) -> Record:
    return Record(**{**values, "history": tuple((turn[0], turn[1]) for turn in values["history"])})


def _standing_to_json(standing: Standing) -> dict[str, Any]:
    return {
        "name": standing.contestant.name,
        "kind": standing.contestant.kind,
        "metrics": {name: _null(value) for name, value in standing.metrics.items()},
        "intervals": {name: [_null(end) for end in ends] for name, ends in standing.intervals.items()},
        "difference": None if standing.difference is None else [_null(value) for value in standing.difference],
        "differences": {name: [_null(value) for value in values] for name, values in standing.differences.items()},
    }


def _standing_from_json(entry: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Standing:
    name, difference = entry["name"], entry["difference"]
    said = [row["says"][name] for row in rows]
    contestant = Contestant(
        name,
        entry["kind"],
        np.array([row["p_yes"][name] for row in rows], dtype=float),
        np.array([answer == "Yes" for answer in said], dtype=bool),
        np.array([answer == "No" for answer in said], dtype=bool),
    )
    intervals = {metric: (_number(low), _number(high)) for metric, (low, high) in entry["intervals"].items()}
    return Standing(
        contestant,
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
