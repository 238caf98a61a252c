"""Someone else's split, as tables or as records, gives a table over the very rows that were published."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from likely.cli import run
from likely.evaluation.contest import Evaluation
from likely.evaluation.storage import load_evaluation

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "published-splits.md"
PARTS = {"train": (0, 100), "valid": (100, 130), "test": (130, 170)}


def write_tables(folder: Path) -> dict[str, list[tuple[int, int, int, int]]]:
    """Write user, item, label, time and title in three files, one after another; some users are new in test."""
    draw = np.random.default_rng(0)
    lines: dict[str, list[tuple[int, int, int, int]]] = {}
    for part, (begin, end) in PARTS.items():
        users = 12 if part == "test" else 9
        lines[part] = [
            (int(draw.integers(users)), int(item), int(draw.random() < 0.3 + 0.4 * (item % 2)), time)
            for time, item in zip(range(begin, end), draw.integers(0, 25, end - begin), strict=True)
        ]
        rows = [f'{user},{item},{label},{time},"Film {item} (1999)"' for user, item, label, time in lines[part]]
        (folder / f"{part}.csv").write_text("\n".join(["uid,iid,label,timestamp,title", *rows]) + "\n")
    return lines


def evaluated(folder: Path, files: dict[str, str]) -> Evaluation:
    keys = {"model_name_or_path": "none", "dataset": "none", "output_dir": str(folder / "out"), **files}
    (folder / "run.yaml").write_text("".join(f"{key}: {value}\n" for key, value in keys.items()))
    assert run(["evaluate", "--baselines-only", "--config", str(folder / "run.yaml"), "--output", str(folder)]) == 0
    return load_evaluation(folder)


def command_of_the_guide() -> list[str]:
    text = GUIDE.read_text(encoding="utf-8").replace("\\\n", " ")
    (line, _) = re.findall(r"^    likely (prepare .*)$", text, re.MULTILINE)
    return str(line).split()


def test_tables_become_the_rows_that_were_published_and_baselines_answer_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = write_tables(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert run(command_of_the_guide()) == 0
    made = {
        part: json.loads((tmp_path / f"data/published/{part}.json").read_text()) for part in ("train", "eval", "test")
    }
    for part, published in zip(made, lines.values(), strict=True):
        rows = [(row["user_id"], row["item_id"], int(row["output"] == "Yes"), row["timestamp"]) for row in made[part]]
        assert sorted(rows) == sorted(published)
    assert any("| not liked" in row["input"] for row in made["test"])
    assert any("eval" in row["history_parts"] for row in made["test"])

    evaluation = evaluated(tmp_path, {f"{part}_file": f"data/published/{part}.json" for part in made})
    assert len(evaluation.records) == 40
    assert {"item like-rate", "matrix factorisation", "boosted trees"} <= {
        result.system.name for result in evaluation.results
    }
    assert any((stratum.of, stratum.label) == ("user", "0") for stratum in evaluation.strata)
    assert "UAUC" in capsys.readouterr().out


def test_records_of_instruction_input_and_output_are_read_as_they_are(tmp_path: Path) -> None:
    lines, names = write_tables(tmp_path), {"train": "train", "valid": "eval", "test": "test"}
    for part, rows in lines.items():
        records = [
            {
                "instruction": 'Given the preference and unpreference, answer "Yes." or "No.".',
                "input": f'User Preference: "Film 1"\nUser Unpreference: "Film 2"\nWill "Film {item}" be liked?',
                "output": "Yes." if label else "No.",
            }
            for _, item, label, _ in rows
        ]
        (tmp_path / f"{part}.json").write_text(json.dumps(records))
    files = {f"{name}_file": str(tmp_path / f"{part}.json") for part, name in names.items()}
    evaluation = evaluated(tmp_path, files)
    assert evaluation.liked.tolist() == [bool(label) for *_, label, _ in lines["test"]]
    assert [result.system.name for result in evaluation.results][-1] == "TF-IDF of the text"
    assert not evaluation.names_users
