"""Movies, or whatever else is rated, as a person names them: those they rated and those they ask about.

They come in Python or in JSON files.

`cli.rank` reads the two files here, before a model is loaded; `ranking` makes prompts of what they hold.
"""

import difflib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from likely.data.items import NO_DETAIL
from likely.data.titles import split_title
from likely.data.wording import MOVIES, Words, show_item
from likely.errors import LikelyError, did_you_mean
from likely.files import read_json

T = TypeVar("T")

REMEDY = "give a JSON list of what is rated."
"""What to do where a file cannot be read."""

COUNTS = ("earlier_likes", "earlier_ratings")
"""Keys of what other users thought of a candidate, of which neither says anything without the other."""


@dataclass(frozen=True)
class Movie:
    """A movie, or whatever else a run is about.

    Attributes:
        title: in natural word order, without the year.
        year: of its release, where known.
        genres: their names, or other details as the run's data give them; none where unknown.
        earlier_likes: how many other users liked it so far; read only where prompts have hints.
        earlier_ratings: how many other users rated it so far.
        liked_of_similar: what share the user liked of movies that the same people like (`data.liked_shares`), 0 to
            1; None where unknown. Read only where prompts have hints.
        extra: whatever else is to come out again with its score.

    Raises:
        LikelyError: a value is of the wrong kind.
    """

    title: str
    year: int | None = None
    genres: Sequence[str] = ()
    earlier_likes: int = 0
    earlier_ratings: int = 0
    liked_of_similar: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def shown(self) -> str:
        """The movie as prompts name it."""
        return show_item(self.title, self.year, list(self.genres))

    @property
    def item_id(self) -> str | None:
        """The id that a row of a catalogue has, None without one; where it is of another data set, no name fits it."""
        return str(self.extra["id"]) if "id" in self.extra else None

    def beside(self, figures: Mapping[str, Any], details: str) -> dict[str, Any]:
        """Return the movie as JSON has it, with figures, which come first and win over other keys of the same name.

        Args:
            figures: of the movie, such as its score.
            details: what the run calls genres.
        """
        own = {**figures, "title": self.title, "year": self.year, details: list(self.genres)}
        return {**own, **self.extra, **own}

    def __post_init__(self) -> None:
        """Check what would otherwise turn into an odd prompt."""
        if not isinstance(self.title, str) or not self.title.strip():
            raise LikelyError(f"title is {self.title!r}; write a name.")
        if self.year is not None and (not isinstance(self.year, int) or isinstance(self.year, bool)):
            raise LikelyError(f"year is {self.year!r}; write a whole number such as 1995, or leave it out.")
        if not isinstance(self.genres, list | tuple) or not all(isinstance(genre, str) for genre in self.genres):
            raise LikelyError(f"genres is {self.genres!r}; write a list of names, or leave it out.")
        if any("\n" in text for text in (self.title, *self.genres)):
            raise LikelyError(f"{self.title!r} or one of its genres goes over several lines; write each in one.")
        counts = (self.earlier_likes, self.earlier_ratings)
        if not all(isinstance(count, int) for count in counts) or not 0 <= counts[0] <= counts[1]:
            raise LikelyError(
                f"earlier_likes is {counts[0]!r} and earlier_ratings {counts[1]!r}; write whole numbers, the first "
                "at most as large as the second, or leave both out."
            )
        share = self.liked_of_similar
        if share is not None and not (isinstance(share, int | float) and 0 <= share <= 1):
            raise LikelyError(f"liked_of_similar is {share!r}; write a number from 0 to 1, or leave it out.")


@dataclass(frozen=True)
class RatedMovie:
    """A movie and what a person rated it, on the scale of the run.

    Attributes:
        movie: what it is.
        rating: or the quantity, or 1 or 0 for a given label; None for a run that knows no more than what a user took.

    Raises:
        LikelyError: the rating is no number.
    """

    movie: Movie
    rating: float | None = None

    def __post_init__(self) -> None:
        """Check the rating."""
        if self.rating is not None and (not isinstance(self.rating, int | float) or isinstance(self.rating, bool)):
            raise LikelyError(f"rating is {self.rating!r}; write a number.")

    def check(self, words: Words) -> None:
        """Raise a LikelyError if the rating is missing or outside of a scale; NaN is outside of every one."""
        if words.shows == "nothing":
            return
        if self.rating is None:
            raise LikelyError("rating is missing or no finite number; write a number.")
        if words.shows == "quantity":
            if not 0 <= self.rating < math.inf:
                raise LikelyError(f"rating is {self.rating!r}; write a quantity of 0 or more.")
        elif words.shows == "label":
            if self.rating not in (0, 1):
                raise LikelyError(f"rating is {self.rating!r}; write 1 for {words.verb} and 0 for not {words.verb}.")
        elif not words.lowest <= self.rating <= words.highest:
            raise LikelyError(
                f"rating is {self.rating!r}, outside {words.lowest:g} to {words.highest:g}; convert it to that scale."
            )


def read_history(path: Path, words: Words = MOVIES) -> list[RatedMovie]:
    """Read a JSON list of objects with title and rating, and year and genres where known.

    A title may be spelled as in MovieLens, "Matrix, The (1999)", and genres be a list or a text
    such as "Action|Crime" or "Action, Crime"; movies come out as training names them.

    Args:
        path: the file, its movies in the order in which they were rated.
        words: of the run's task; `words.details` is the key that takes the place of genres.

    Raises:
        LikelyError: the file is missing, damaged, of another shape or empty, or a value is missing
            or wrong; names file, row (from 1) and key.
    """
    return history_of(read_json(path, REMEDY), str(path), words)


def read_candidates(path: Path, words: Words = MOVIES) -> list[Movie]:
    """Read a JSON list of objects with title, and year and genres where known; all other keys are kept.

    Raises:
        LikelyError: as :func:`read_history`.
    """
    return candidates_of(read_json(path, REMEDY), str(path), words)


def history_of(rows: Any, where: str, words: Words = MOVIES) -> list[RatedMovie]:
    """Return the rated movies of JSON that has been read.

    Args:
        rows: a list of objects, as :func:`read_history` describes them.
        where: where it comes from, for messages.
        words: of the run's task; `words.details` is the key that takes the place of genres.

    Raises:
        LikelyError: as :func:`read_history`.
    """
    return _each(rows, where, lambda row: _rated_movie(row, words))


def candidates_of(rows: Any, where: str, words: Words = MOVIES) -> list[Movie]:
    """Return the movies of JSON that has been read; arguments and errors as of :func:`history_of`."""
    return _each(rows, where, lambda row: _movie(row, words))


def _each(rows: Any, where: str, read_row: Callable[[Any], T]) -> list[T]:
    if not isinstance(rows, list):
        raise LikelyError(f"{where} holds a {type(rows).__name__} where a list should be; write a JSON list.")
    if not rows:
        raise LikelyError(f"{where} holds an empty list; write at least one object with a title.")
    movies = []
    for number, row in enumerate(rows, start=1):
        try:
            movies.append(read_row(row))
        except LikelyError as error:
            raise LikelyError(f"{where}, row {number}: {error}") from None
    return movies


def _rated_movie(row: Any, words: Words) -> RatedMovie:
    movie = _movie(row, words)
    rated = RatedMovie(movie, row.get("rating") if words.shows == "nothing" else _value(row, "rating"))
    rated.check(words)
    return rated


def _movie(row: Any, words: Words) -> Movie:
    if not isinstance(row, dict):
        raise LikelyError(f"a {type(row).__name__} where an object with a title should be; write {{...}}.")
    title, year = _value(row, "title"), row.get("year")
    if isinstance(title, str):
        plain, year_in_title = split_title(title)
        if year is None or year_in_title in (None, year):  # another year belongs to the title
            title, year = plain, year_in_title if year is None else year
    _check_keys(row, (*COUNTS, "liked_of_similar", "year", words.details))
    if (COUNTS[0] in row) != (COUNTS[1] in row):
        raise LikelyError(f"only one of {' and '.join(COUNTS)} is there; give both, or none.")
    extra = {key: value for key, value in row.items() if key not in ("title", "year", words.details)}
    likes, ratings = (row.get(count, 0) for count in COUNTS)
    details = _details(row.get(words.details), words)
    return Movie(title, year, details, likes, ratings, row.get("liked_of_similar"), extra)


def _check_keys(row: Mapping[str, Any], optional: Sequence[str]) -> None:
    """Refuse a key that seems to mean an optional one: without that, the prompt would silently say less.

    Args:
        row: as it came.
        optional: such keys, and last the word for details, which other runs call otherwise.
    """
    missing = [key for key in optional if key not in row]
    for key in (key for key in row if key not in optional):
        meant = difflib.get_close_matches(key, missing, 1, cutoff=0.75)
        if optional[-1] in missing and difflib.get_close_matches(key, (MOVIES.details, "details"), 1, cutoff=0.75):
            meant = [optional[-1]]
        if meant:
            raise LikelyError(f"the key {key!r} would not be read; did you mean {meant[0]}?")


def _value(row: Mapping[str, Any], key: str) -> Any:
    if key not in row:
        hint = did_you_mean(key, row) or "every object of this file needs it."
        raise LikelyError(f"the key {key!r} is missing; {hint}")
    return row[key]


def _details(value: Any, words: Words) -> tuple[str, ...]:
    """Return names with single spaces, as training has them, and without what the releases write for none."""
    # A comma may part an author's names, or stand within what a list has as one.
    separators = r"[|,]" if isinstance(value, str) and words.details == MOVIES.details else r"\|"
    lists = [value] if isinstance(value, str) else value or ()
    if not isinstance(lists, list | tuple) or not all(isinstance(names, str) for names in lists):
        raise LikelyError(f"{words.details} is {value!r}; write a list of names or a text such as 'one|another'.")
    plain = (" ".join(name.split()) for names in lists for name in re.split(separators, names))
    return tuple(dict.fromkeys(name for name in plain if name not in NO_DETAIL))
