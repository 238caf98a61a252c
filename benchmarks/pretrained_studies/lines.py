"""The lines that runs leave: JSON, one each, in the order in which they finished."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.pretrained_studies.studies import Run


def read_lines(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """Return the lines of files; one that was cut short counts for nothing."""
    lines = []
    for path in paths:
        for text in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            if text.endswith("}"):
                lines.append(json.loads(text))
    return lines


def finished_runs(lines: Iterable[Mapping[str, Any]]) -> dict[Run, Mapping[str, Any]]:
    """Return the finished runs, the last of each setting and seed."""
    return {Run.of_json(line): line for line in lines if "p_yes" in line}
