"""Reads any MovieLens release, as folder or zip, into a table of ratings and a table of movies.

Files come from GroupLens (or from RecBole's copy of MovieLens 100K); the tables go to `timelines`.
Which release it is shows in its file names; see :data:`FILE_FORMATS`.
"""

import fnmatch
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import polars as pl

from likely.data.movies_file import MovieRow, colon_movies, csv_movies, flag_movies, movies_table, recbole_movies
from likely.errors import LikelyError

LOWEST_RATING, HIGHEST_RATING = 0.5, 5.0
"""Ends of the widest scale of any release, in stars; 100K and 1M start at 1."""

RATING_TYPES = {"user_id": pl.Int32, "movie_id": pl.Int32, "rating": pl.Float32, "timestamp": pl.Float64}
"""How ratings are parsed. RecBole declares its times as floating point; they become int64 afterwards."""


BROKEN_ZIP = (
    *(OSError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError),
    *(RuntimeError, ValueError, struct.error),
)
"""What damaged zips raise, and (RuntimeError) those that are encrypted or of a later version of the format."""


@dataclass(frozen=True)
class MovieLens:
    """One MovieLens release.

    Attributes:
        name: of the release, from its folder or zip, such as "ml-latest-small".
        ratings: in the order of the file: user_id i32, movie_id i32, rating f32 (stars),
            timestamp i64 (seconds since 1970). No pair of user and movie occurs twice.
        movies: movie_id i32, title str (natural word order, without the year), year i32 or null,
            genres list[str]. Every rated movie is among them.
    """

    name: str
    ratings: pl.DataFrame
    movies: pl.DataFrame


@dataclass(frozen=True)
class FileFormat:
    """How one family of releases writes its two files.

    Attributes:
        ratings: name of the ratings file, or a pattern for it.
        movies: name of the movies file, or a pattern for it.
        read_movies: takes the bytes of the movies file, its name for messages and, where there is one, the bytes of
            the genres file.
        separator: between the fields of a rating.
        header: names of the four rating columns in the first line; empty where there is no such line.
        genres: name of a file with the names of genres, which may be missing.
    """

    ratings: str
    movies: str
    read_movies: Callable[..., Iterator[MovieRow]]
    separator: str
    header: tuple[str, ...] = ()
    genres: str = ""


CSV = FileFormat("ratings.csv", "movies.csv", csv_movies, ",", ("userId", "movieId", "rating", "timestamp"))
COLONS = FileFormat("ratings.dat", "movies.dat", colon_movies, "::")
TABS = FileFormat("u.data", "u.item", flag_movies, "\t", genres="u.genre")
RECBOLE_COLUMNS = ("user_id:token", "item_id:token", "rating:float", "timestamp:float")
RECBOLE = FileFormat("*.inter", "*.item", recbole_movies, "\t", RECBOLE_COLUMNS)
FILE_FORMATS = (CSV, COLONS, TABS, RECBOLE)
"""ml-latest*, 20M, 25M, 32M; 1M, 10M; 100K; RecBole's copies. The first whose ratings file exists counts."""


@dataclass(frozen=True)
class _Text:
    """The bytes of one file and the name by which error messages call it."""

    name: str
    data: bytes


def read_movielens(source: Path) -> MovieLens:
    """Read a MovieLens release.

    Args:
        source: folder or zip that holds the release's files, directly or in one folder.

    Raises:
        LikelyError: there is no such source, it holds no known release, or one of its lines is
            wrong: too few or too many fields, not a number, a rating off the scale, a movie rated
            twice by one user, a movie that is rated but not listed, not UTF-8 in a csv.
    """
    names = _list_files(source)
    file_format, ratings_name = _detect(source, names)
    folder = str(PurePosixPath(ratings_name).parent)
    movies_name = _find(names, file_format.movies, folder)
    if movies_name is None:
        raise LikelyError(
            f"{source} holds {ratings_name} but no {file_format.movies} beside it; add it from the same release."
        )
    movies_file = _read_file(source, movies_name)
    genres_name = _find(names, file_format.genres, folder)
    genres = [] if genres_name is None else [_read_file(source, genres_name).data]
    movies = movies_table(file_format.read_movies(movies_file.data, movies_file.name, *genres), movies_file.name)
    ratings = _read_ratings(_read_file(source, ratings_name), file_format, movies, movies_file.name)
    resolved = source.resolve()
    return MovieLens(resolved.name if source.is_dir() else resolved.stem, ratings, movies)


# Finding and reading files


def _list_files(source: Path) -> list[str]:
    """Return the paths of the files in a folder or zip that lie at most one folder deep."""
    if source.is_dir():
        paths = [*source.glob("*"), *source.glob("*/*")]
        return sorted(path.relative_to(source).as_posix() for path in paths if path.is_file())
    if not source.exists():
        raise LikelyError(f"There is no folder or zip {source}; give the path of a MovieLens release.")
    try:
        with zipfile.ZipFile(source) as archive:
            names = archive.namelist()
    except BROKEN_ZIP as error:
        raise LikelyError(f"{source} is not a readable zip ({error}); fetch the release again.") from error
    # macOS puts a shadow of every file into a folder of its own.
    return sorted(name for name in names if name.count("/") <= 1 and not name.startswith("__MACOSX"))


def _find(names: list[str], pattern: str, folder: str | None = None) -> str | None:
    """Return the file that matches, the least deep of several; only inside `folder` where that is given."""
    matches = [
        name
        for name in names
        if fnmatch.fnmatchcase(PurePosixPath(name).name, pattern) and folder in (None, str(PurePosixPath(name).parent))
    ]
    return min(matches, key=lambda name: (name.count("/"), name), default=None)


def _detect(source: Path, names: list[str]) -> tuple[FileFormat, str]:
    """Return the file_format of a release and the path of its ratings file."""
    for file_format in FILE_FORMATS:
        ratings_name = _find(names, file_format.ratings)
        if ratings_name is not None:
            return file_format, ratings_name
    known = ", ".join(file_format.ratings for file_format in FILE_FORMATS)
    raise LikelyError(f"{source} holds no MovieLens ratings ({known}); give the folder or zip of a release.")


def _read_file(source: Path, name: str) -> _Text:
    try:
        if source.is_dir():
            return _Text(str(source / name), (source / name).read_bytes())
        with zipfile.ZipFile(source) as archive:
            return _Text(f"{source}/{name}", archive.read(name))
    except BROKEN_ZIP as error:
        raise LikelyError(f"{name} in {source} cannot be read ({error}); fetch or unpack the release again.") from error


# Ratings


def _read_ratings(file: _Text, file_format: FileFormat, movies: pl.DataFrame, movies_name: str) -> pl.DataFrame:
    """Parse and check ratings; polars makes nulls of what it cannot parse; these are looked up by line."""
    data, separator = file.data, file_format.separator
    if separator == "::":  # polars takes separators of one byte only
        data, separator = data.replace(b"::", b"\t"), "\t"
    schema = _schema(file, file_format, separator)
    first_line = _first_rating(data, 1 if file_format.header else 0)
    try:
        table = pl.read_csv(
            io.BytesIO(data),
            has_header=False,
            skip_lines=first_line,
            separator=separator,
            schema=schema,
            quote_char=None,
            ignore_errors=True,
        ).select(*RATING_TYPES)
    except pl.exceptions.PolarsError as error:
        raise LikelyError(_wrong_field_count(_Text(file.name, data), separator, len(schema))) from error
    _check_values(table, file, first_line)
    table = table.drop_nulls().with_columns(pl.col("timestamp").cast(pl.Int64))
    if table.is_empty():
        raise LikelyError(f"{file.name} holds no ratings; give a complete MovieLens release.")
    unlisted = table["movie_id"].unique().sort()
    unlisted = unlisted.filter(~unlisted.is_in(movies["movie_id"].implode()))
    if len(unlisted):
        raise LikelyError(
            f"{file.name} rates {len(unlisted)} movies that {movies_name} does not list, the first with the "
            f"id {unlisted[0]}; use both files of one release."
        )
    return table


def _schema(file: _Text, file_format: FileFormat, separator: str) -> dict[str, type[pl.DataType]]:
    """Return the columns of a ratings file in their order; columns without use are read as text."""
    if not file_format.header:
        return dict(RATING_TYPES)
    line = file.data.partition(b"\n")[0].removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    columns = line.rstrip("\r").split(separator)
    names = dict(zip(file_format.header, RATING_TYPES, strict=True))
    missing = [column for column in file_format.header if column not in columns]
    if missing:
        raise LikelyError(
            f"Line 1 of {file.name} names no column {missing[0]!r}; it must name {', '.join(file_format.header)}."
        )
    ordered = [names.get(column, f"unused {place}") for place, column in enumerate(columns)]
    return {name: RATING_TYPES.get(name, pl.String) for name in ordered}


def _first_rating(data: bytes, header_lines: int) -> int:
    """Return how many lines to skip: the header and blank ones after it, by which polars would count the columns."""
    lines = io.BytesIO(data)
    for _ in range(header_lines):
        lines.readline()
    skipped = header_lines
    while (line := lines.readline()) and not line.strip():
        skipped += 1
    return skipped


def _check_values(table: pl.DataFrame, file: _Text, first_line: int) -> None:
    """Check what was parsed; row r of the table is line r + first_line + 1 of the file, even if blank."""
    rating, timestamp = pl.col("rating"), pl.col("timestamp")
    sound = rating.is_between(LOWEST_RATING, HIGHEST_RATING) & (timestamp.abs() < 2.0**53)
    sound &= pl.col("user_id").is_not_null() & pl.col("movie_id").is_not_null()
    suspicious = table.select((~sound.fill_null(False)).arg_true()).to_series().to_list()
    lines = file.data.split(b"\n") if suspicious else []
    for row in suspicious:
        line = row + first_line
        if lines[line].strip():
            raise LikelyError(_wrong_value(table.row(row), lines[line], line + 1, file.name))
    # One sortable number a pair: sorting 32 million of them is much cheaper than hashing rows.
    pairs = table.select(pl.col("user_id").cast(pl.Int64) * 2**32 + pl.col("movie_id"))
    ordered = pairs.drop_nulls().to_series().sort()
    if (ordered == ordered.shift()).any():
        # Blank lines look like repetitions of each other here, so they are left out.
        again = ~pl.first().is_first_distinct() & pl.first().is_not_null()
        row = int(pairs.select(again.arg_max()).item())
        user, movie = table.row(row)[:2]
        raise LikelyError(
            f"Line {row + first_line + 1} of {file.name} rates movie {movie} by user {user} once more; "
            "keep one rating of each pair."
        )


def _wrong_value(values: tuple[object, ...], text: bytes, line: int, file: str) -> str:
    """Return what is wrong with one rating."""
    where = f"Line {line} of {file}"
    try:
        shown = text.decode().strip()
    except UnicodeDecodeError:
        return f"{where} is not UTF-8 text; fetch the file again or save it as UTF-8."
    for name, value in zip(("user id", "movie id", "rating", "timestamp"), values, strict=True):
        if value is None or (name == "timestamp" and value != value):
            return f"{where} has no valid {name} ({shown!r}); fix or remove the line."
    if values[2] is not None and not LOWEST_RATING <= float(str(values[2])) <= HIGHEST_RATING:
        return (
            f"{where} has a rating outside {LOWEST_RATING:g} to {HIGHEST_RATING:g} stars ({shown!r}); "
            "fix or remove the line."
        )
    return f"{where} has no valid timestamp ({shown!r}); fix or remove the line."


def _wrong_field_count(file: _Text, separator: str, fields: int) -> str:
    """Return where a file stops being a table."""
    for number, line in enumerate(file.data.split(b"\n"), start=1):
        count = line.count(separator.encode()) + 1
        if count != fields and line.strip():
            where = f"Line {number} of {file.name}"
            return f"{where} has {count} fields instead of {fields}; fix or remove the line."
    return f"{file.name} holds no ratings; give a complete MovieLens release."
