"""Turns the movies file of a MovieLens release, in any of its four spellings, into a table.

Bytes come from `movielens`, which finds the files; the table goes back to it.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl

from likely.errors import LikelyError

NO_GENRE = {"", "(no genres listed)", "unknown"}
"""How the releases say that a movie has no genre."""

# fmt: off
GENRES_100K = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama",
    "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)
# fmt: on
"""What the flags of `u.item` mean, from the README of MovieLens 100K; used where `u.genre` is missing."""

# "Heat (1995)", "Cosmos (2006–2007)", "Cosmos (2009– )", and "Gordy (1995) (V)" for a video.
_YEAR = re.compile(r"\((\d{4})(?:\s*[-–]\s*(?:\d{4})?\s*)?\)(?:\s*\(V\))?$")
# Articles that are hardly ever the last word of a list; Italian "I" and Portuguese "O" are too ambiguous.
_ARTICLE = re.compile(r"^(a\.k\.a\. )?(.+), (The|An?|L'|Les?|La|Une?|El|Los|Las|Una|Il|Lo|Gli|Der|Die|Das|Eine?)$")
_ALTERNATIVE = re.compile(r"\(([^()]+)\)")


@dataclass(frozen=True)
class MovieRow:
    """One movie as the file spells it, and the line it stands in."""

    line: int
    movie_id: str
    title: str
    year: str
    genres: list[str]


def split_title(title: str) -> tuple[str, int | None]:
    """Return a title in natural word order without its year, and the year.

    Articles are moved in the title and in each alternative title in brackets.

    >>> split_title("City of Lost Children, The (Cité des enfants perdus, La) (1995)")
    ('The City of Lost Children (La Cité des enfants perdus)', 1995)
    >>> split_title("Babylon 5")
    ('Babylon 5', None)
    """
    name = " ".join(title.split())
    year = None
    match = _YEAR.search(name)
    if match and match.start():
        name, year = name[: match.start()].rstrip(), int(match[1])
    main, bracket, alternatives = name.partition(" (")
    alternatives = _ALTERNATIVE.sub(lambda match: f"({_article_first(match[1])})", bracket + alternatives)
    return _article_first(main) + alternatives, year


def _article_first(title: str) -> str:
    match = _ARTICLE.match(title)
    if match is None:
        return title
    prefix, rest, article = match.groups(default="")
    return f"{prefix}{article}{rest}" if article == "L'" else f"{prefix}{article} {rest}"


def movies_table(rows: Iterable[MovieRow], file: str) -> pl.DataFrame:
    """Return movie_id i32, title str, year i32 or null, genres list[str], in the order of the file.

    Raises:
        LikelyError: an id is not a number or occurs twice.
    """
    movies: dict[int, tuple[str, int | None, list[str]]] = {}
    for row in rows:
        if not re.fullmatch(r"\d{1,9}", row.movie_id):
            raise LikelyError(
                f"Line {row.line} of {file} has no valid movie id ({row.movie_id!r}); fix or remove the line."
            )
        movie_id = int(row.movie_id)
        if movie_id in movies:
            raise LikelyError(
                f"Line {row.line} of {file} lists movie {movie_id} once more; keep one line of each movie."
            )
        title, year = split_title(row.title)
        if re.fullmatch(r"\d{4}", row.year):
            year = int(row.year)
        movies[movie_id] = (title, year, [genre for genre in row.genres if genre not in NO_GENRE])
    titles, years, genres = zip(*movies.values(), strict=True) if movies else ((), (), ())
    return pl.DataFrame(
        {"movie_id": list(movies), "title": titles, "year": years, "genres": genres},
        schema={"movie_id": pl.Int32, "title": pl.String, "year": pl.Int32, "genres": pl.List(pl.String)},
    )


def csv_movies(data: bytes, file: str) -> Iterator[MovieRow]:
    """Read `movies.csv`: UTF-8, `movieId,title,genres`, genres separated by `|`."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise LikelyError(f"Line {line} of {file} is not UTF-8 text; save the file as UTF-8.") from error
    reader = csv.reader(text.splitlines(keepends=True))
    try:
        header = next(reader, [])
        places = [_place(header, column, file) for column in ("movieId", "title", "genres")]
        for fields in reader:
            if fields:
                _check_count(fields, len(header), reader.line_num, file)
                movie_id, title, genres = (fields[place] for place in places)
                yield MovieRow(reader.line_num, movie_id, title, "", genres.split("|"))
    except csv.Error as error:
        raise LikelyError(
            f"Line {reader.line_num} of {file} is no csv ({error}); correct its quotes or remove it."
        ) from error


def colon_movies(data: bytes, file: str) -> Iterator[MovieRow]:
    """Read `movies.dat`: `id::title::genres`, Latin-1 in 1M and UTF-8 in 10M."""
    for line, fields in _lines(data, "::"):
        _check_count(fields, 3, line, file)
        yield MovieRow(line, fields[0], fields[1], "", fields[2].split("|"))


def flag_movies(data: bytes, file: str, genre_names: bytes | None = None) -> Iterator[MovieRow]:
    """Read `u.item`: `id|title|date|date|address|` and a flag 0 or 1 for each genre of `u.genre`."""
    genres = list(GENRES_100K)
    if genre_names is not None:
        genres = [fields[0] for _, fields in _lines(genre_names, "|")]
    for line, fields in _lines(data, "|"):
        _check_count(fields, 5 + len(genres), line, file)
        flagged = [genre for genre, flag in zip(genres, fields[5:], strict=True) if flag == "1"]
        yield MovieRow(line, fields[0], fields[1], "", flagged)


def recbole_movies(data: bytes, file: str) -> Iterator[MovieRow]:
    """Read `*.item`: a header such as `item_id:token`, fields between tabs, genres between spaces."""
    lines = _lines(data, "\t")
    _, header = next(lines, (1, []))
    columns = ("item_id:token", "movie_title:token_seq", "release_year:token", "class:token_seq")
    places = [_place(header, column, file) for column in columns]
    for line, fields in lines:
        _check_count(fields, len(header), line, file)
        movie_id, title, year, genres = (fields[place] for place in places)
        yield MovieRow(line, movie_id, title, year, genres.split())


def _lines(data: bytes, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and fields of each line that is not blank, from UTF-8 or else Latin-1."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:  # accented Latin-1 is practically never valid UTF-8
        text = data.decode("latin-1")
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line.rstrip("\r").split(separator)


def _place(header: list[str], column: str, file: str) -> int:
    if column not in header:
        raise LikelyError(f"Line 1 of {file} names no column {column!r}; use the file of an unchanged release.")
    return header.index(column)


def _check_count(fields: list[str], expected: int, line: int, file: str) -> None:
    if len(fields) != expected:
        raise LikelyError(
            f"Line {line} of {file} has {len(fields)} fields instead of {expected}; fix or remove the line."
        )
