"""What was prepared is counted split by split."""

import io

from rich.console import Console

from likely.data.movielens import read_movielens
from likely.data.preparation import prepare
from likely.report.preparation_table import preparation_table
from likely.sources.invented_ratings import make_sample


def test_every_split_is_shown_with_its_counts(tmp_path):
    preparation = prepare(read_movielens(make_sample(tmp_path / "ratings")), tmp_path / "data")
    console = Console(file=io.StringIO(), width=100)
    console.print(preparation_table(preparation))
    rows = {line.split()[0]: line for line in console.file.getvalue().splitlines() if line.strip()}
    for name in ("train", "eval", "test"):
        split = getattr(preparation, name)
        for figure in (split.users, split.rows, split.positives, split.cold):
            assert f"{figure:,}" in rows[name]
        assert f"({split.positives / split.rows:.1%})" in rows[name]
