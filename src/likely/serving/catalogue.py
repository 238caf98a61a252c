"""A run's catalogue in memory: titles found by what a person types, and the most rated as candidates."""

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from likely.data.catalogue_file import CATALOGUE_FILE, read_catalogue
from likely.data.wording import MOVIES, Words
from likely.errors import LikelyError
from likely.inference.movies import Movie

Row = dict[str, Any]


@dataclass(frozen=True)
class Catalogue:
    """What there is to rate, most rated first.

    Attributes:
        rows: as the file has them.
        movies: the same, as prompts name them.
        folded: titles as :func:`fold` leaves them.
    """

    rows: Sequence[Row]
    movies: Sequence[Movie]
    folded: Sequence[str]

    @classmethod
    def load(cls, folder: Path, words: Words = MOVIES) -> "Catalogue | None":
        """Read the catalogue of a run, whose words name the key of the details; None where it has none.

        Raises:
            LikelyError: it is damaged.
        """
        rows = read_catalogue(folder)
        if rows is None:
            return None
        try:
            movies = [_movie_of(row, words) for row in rows]
        except (KeyError, TypeError, LikelyError) as error:
            raise LikelyError(
                f"{folder / CATALOGUE_FILE} has a row that is no item ({error}); copy it again from beside the run's "
                "training file, or remove it."
            ) from error
        return cls(rows, movies, [fold(movie.title) for movie in movies])

    def search(self, text: str, limit: int) -> list[Row]:
        """Return rows whose title has all words of a text; those that begin with it first, then the most rated."""
        whole = fold(text)
        words = whole.split()
        found = [place for place, title in enumerate(self.folded) if all(word in title for word in words)]
        found.sort(key=lambda place: not self.folded[place].startswith(whole))
        return [self.rows[place] for place in found[:limit]]

    def most_rated(self, count: int | None, without: Collection[Movie]) -> list[Movie]:
        """Return the most rated items that are not among some, all of them where `count` is None."""
        known: dict[str, list[Movie]] = {}
        for movie in without:
            known.setdefault(movie.title, []).append(movie)
        fresh = [item for item in self.movies if not any(_may_be(one, item) for one in known.get(item.title, ()))]
        return fresh[:count]

    def named(self, shown: str, item_id: str | None = None) -> Row | None:
        """Return the row of what a prompt calls an item, of several that of the id; None where there is none.

        Editions of a book may have one name, and an id tells them apart.
        """
        rows = self._by_name.get(shown, ())
        return next((row for row in rows if str(row["id"]) == item_id), rows[0] if rows else None)

    @cached_property
    def _by_name(self) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = {}
        for movie, row in zip(self.movies, self.rows, strict=True):
            found.setdefault(movie.shown, []).append(row)
        return found


def fold(text: str) -> str:
    """Return a text without accents, capitals and punctuation, as people type titles.

    >>> fold("Amélie: Le Fabuleux Destin d'Amélie")
    'amelie le fabuleux destin d amelie'
    """
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    return " ".join("".join(sign if sign.isalnum() else " " for sign in plain.casefold()).split())


def _may_be(named: Movie, item: Movie) -> bool:
    """Return whether somebody may have meant an item of the same title: by its id, or as far as year and details go."""
    if named.item_id is not None and named.item_id == item.item_id:
        return True
    same_year = named.year is None or named.year == item.year
    return same_year and (not named.genres or list(named.genres) == list(item.genres))


def _movie_of(row: Row, words: Words) -> Movie:
    counts = (row["earlier_likes"], row["earlier_ratings"])
    return Movie(row["title"], row["year"], row[words.details], *counts, extra={"id": row["id"]})
