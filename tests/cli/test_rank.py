"""A ranking in a file: all candidates, best first, with what came along."""

import json

from likely.cli.rank import write_ranking
from likely.data.records import Record
from likely.inference.movies import Movie
from likely.inference.ranking import Ranked

ASKED = Record("Will this user like it?", "a candidate", "Yes")


def test_each_line_has_rank_and_probability_and_the_keys_that_came_with_the_movie(tmp_path):
    heat = Movie("Heat", 1995, ["Crime"], extra={"tmdb": 949, "rank": "of the shop", "p_yes": "?"})
    write_ranking(tmp_path / "ranked.jsonl", [Ranked(heat, 0.75, ASKED), Ranked(Movie("Amélie"), 0.5, ASKED)])
    first, second = map(json.loads, (tmp_path / "ranked.jsonl").read_text(encoding="utf-8").splitlines())
    assert first == {"rank": 1, "p_yes": 0.75, "title": "Heat", "year": 1995, "genres": ["Crime"], "tmdb": 949}
    assert second == {"rank": 2, "p_yes": 0.5, "title": "Amélie", "year": None, "genres": []}
    assert list(first)[:2] == ["rank", "p_yes"]
