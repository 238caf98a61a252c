"""The audit tells every figure, in any terminal, and what a cutoff would shorten."""

import io

import pytest
from rich.console import Console

from likely.report.lengths_table import print_audit


def printed(lengths, unit, cutoff, width=100):
    text = io.StringIO()
    print_audit(Console(file=text, width=width), lengths, unit, cutoff)
    return text.getvalue()


def test_what_a_cutoff_shortens_is_told():
    text = printed([100] * 90 + [600] * 10, "tokens", 512)
    assert "cutoff_len 512 shortens 10 of 100 records (10.0%); 95% fit into cutoff_len: 640." in text
    for name in ("min", "mean", "max", "p50", "p90", "p95", "p99", "p100"):
        assert name in text
    assert "cutoff_len" not in printed([5, 6], "characters", None)


@pytest.mark.parametrize("width", [30, 45, 60, 80])
def test_the_audit_shows_every_figure_in_any_terminal(width):
    text = printed([1234] * 90 + [5678] * 10, "tokens", None, width)
    for name in ("min", "mean", "max", "p50", "p90", "p95", "p99", "p100", "1,234", "1,678.4", "5,678"):
        assert name in text
    assert all(len(line) <= width for line in text.splitlines())
    assert sum(line.endswith((" 90", " 10")) for line in text.splitlines()) == 2
