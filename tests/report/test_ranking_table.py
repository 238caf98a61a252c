"""A ranking is shown in its order, by the names that training used."""

import io

from rich.console import Console

from likely.data.records import Record
from likely.inference.movies import Movie
from likely.inference.ranking import Ranked
from likely.report.ranking_table import ranking_table

ASKED = Record("Will this user like it?", "a candidate", "Yes")


def test_each_candidate_has_its_rank_its_name_and_its_probability():
    ranked = [Ranked(Movie("[bold]Heat", 1995, ["Crime"]), 0.91234, ASKED), Ranked(Movie("Babe"), 0.5, ASKED)]
    console = Console(file=io.StringIO(), width=80)
    console.print(ranking_table(ranked, "Best of 2", "[single] film"))
    lines = console.file.getvalue().splitlines()
    assert lines[0].strip() == "Best of 2"
    assert "[single] film" in lines[2]
    first, second = (line for line in lines if "0." in line)
    assert "1" in first
    assert "[bold]Heat (1995) | Crime" in first
    assert "0.912" in first
    assert "Babe" in second


def test_where_a_run_keeps_an_answer_it_stands_before_its_parts():
    ranked = [Ranked(Movie("Heat"), 0.25, ASKED, answer=0.91234, counting=0.75)]
    console = Console(file=io.StringIO(), width=80)
    console.print(ranking_table(ranked, "Best of 1", "film"))
    said = console.file.getvalue()
    assert said.index("answer") < said.index("adapter") < said.index("counting")
    assert said.index("0.912") < said.index("0.250") < said.index("0.750")
    assert "P(Yes)" not in said
