"""Releases of ratings, as folder or zip, described for the reader of tables: MovieLens, and RecBole's atomic files.

Files come from GroupLens or from RecBole; `ratings` reads them. Which release it is shows in its file names; see
:data:`RELEASES`.
"""

import fnmatch
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from likely.archives import read_member
from likely.config.table_config import TableConfig
from likely.data.ratings import RatingTable, read_ratings
from likely.data.table_file import TableFile, open_table
from likely.errors import LikelyError

BROKEN_ZIP = (
    *(OSError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError),
    *(RuntimeError, ValueError, struct.error),
)
"""What damaged zips raise, and (RuntimeError) those that are encrypted or of a later version of the format."""

# fmt: off
GENRES_100K = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama",
    "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)
# fmt: on
"""What the flags of `u.item` mean, from the README of MovieLens 100K."""

CSV = TableConfig.model_validate(
    {
        "ratings": "ratings.csv",
        "items": "movies.csv",
        "user": "userId",
        "item": "movieId",
        "time": "timestamp",
        "title": "title",
        "details": ["genres"],
        "ids": "numbers",
        "noun": "movie",
        "details_noun": "genres",
        "scale": (0.5, 5),
    }
)
COLUMNS = {"columns": ("userId", "movieId", "rating", "timestamp"), "items_columns": ("movieId", "title", "genres")}
COLONS = CSV.model_copy(update={"ratings": "ratings.dat", "items": "movies.dat", **COLUMNS})
FLAGS = {
    "details": (),
    "flags": GENRES_100K,
    "items_columns": ("movieId", "title", "date", "video", "url", *GENRES_100K),
}
TABS = COLONS.model_copy(update={"ratings": "u.data", "items": "u.item", **FLAGS})
KAGGLE = CSV.model_copy(update={"ratings": "rating.csv", "items": "movie.csv"})
RECBOLE = TableConfig.model_validate({"ratings": "*.inter", "items": "*.item", "details_separators": ("|", ", ", " ")})
RELEASES = (CSV, COLONS, TABS, KAGGLE, RECBOLE)
"""ml-latest*, 20M, 25M, 32M; 1M, 10M; 100K; Kaggle's 20M; RecBole. The first whose ratings file exists counts."""


def read_movielens(source: Path) -> RatingTable:
    """Read a release.

    Args:
        source: as in :func:`describe_release`.

    Raises:
        LikelyError: as :func:`describe_release` and :func:`likely.data.ratings.read_ratings`.
    """
    return read_ratings(*describe_release(source))


def describe_release(source: Path) -> tuple[TableConfig, Callable[[str], bytes]]:
    """Return the description of a release's table, and what gives the content of its files by their names.

    Args:
        source: folder or zip that holds the release's files, directly or in one folder.

    Raises:
        LikelyError: there is no such source, or it holds no known release.
    """
    names = _list_files(source)
    release, ratings_name = _detect(source, names)
    beside = [name for name in names if PurePosixPath(name).parent == PurePosixPath(ratings_name).parent]
    of_same_name = PurePosixPath(ratings_name).with_suffix(".item")
    items_name = min(_find(beside, str(release.items)), key=lambda name: name != str(of_same_name), default=None)
    if items_name is None and release is not RECBOLE:
        raise LikelyError(
            f"{source} holds {ratings_name} but no {release.items} beside it; add it from the same release."
        )
    files = {str(source / name): name for name in (ratings_name, items_name) if name}
    paths = {"ratings": str(source / ratings_name), "items": str(source / items_name) if items_name else None}
    name = source.resolve().name if source.is_dir() else source.resolve().stem
    described = release.model_copy(update={**paths, "name": name})

    def read(path: str) -> bytes:
        return _read_file(source, files[path])

    if release is RECBOLE:
        ratings, *items = (open_table(path, read(path)) for path in files)
        described = described.model_copy(update=_recbole(ratings, items[0] if items else None))
    return described, read


def _recbole(ratings: TableFile, items: TableFile | None) -> dict[str, object]:
    """Return what the headers of RecBole's files say: `name:type`, with names that differ between its data sets.

    A name without a type is taken for what it says, and ids for ids whatever their type.
    """

    def first(table: TableFile, types: tuple[str, ...], *parts: str, but: tuple[str | None, ...] = ()) -> str | None:
        """Return the first column of some types whose name has the first of the parts that any name has."""
        for part in parts:
            for column in table.columns:
                name, _, kind = column.partition(":")
                if column not in but and part in name and (kind in types or (part and not kind)):
                    return column
        return None

    numbers, texts = ("float",), ("token", "token_seq")
    anything = (*texts, *numbers)
    user = first(ratings, anything, "user_id") or first(ratings, texts, "user", "")
    time = first(ratings, numbers, "timestamp", "time", "date")
    item = first(ratings, anything, "item_id", but=(user,))
    item = item or next((name for name in ratings.columns if items and name != user and name in items.columns), None)
    user, item = user or "user_id:token", item or first(ratings, texts, "_id", "", but=(user,)) or "item_id:token"
    rating = first(ratings, numbers, "rating", "star", "", but=(time,))
    if rating is None:
        raise LikelyError(
            f"{ratings.name} has no column of ratings, such as rating:float; if its lines say what users took, name it "
            f"with --ratings, --user {user} and --item {item}, and add --implicit --negatives 1."
        )
    found: dict[str, object] = {"user": user, "item": item, "rating": rating, "time": time}
    if items is None:
        return found
    bare = str(found["item"]).partition(":")[0]
    found["item_in_items"] = next((name for name in items.columns if name.partition(":")[0] == bare), None)
    title = first(items, texts, "title", "name")
    of_movies = title is not None and "movie" in title
    kinds = [first(items, texts, part, but=(title,)) for part in ("class", "genre", "categor")]
    author = first(items, texts, "author", but=(title,))
    found |= {"title": title, "year": first(items, ("token", *numbers), "year")}
    found |= {"details": tuple(dict.fromkeys(kind for kind in kinds if kind))}
    if author and not found["details"]:  # the words of a name belong together
        found |= {"details": (f"by {{{author}}}",), "details_noun": "authors", "details_separators": ("|", ", ")}
    return found | (
        {"noun": "movie", "details_noun": "genres", "scale": CSV.scale, "ids": "numbers"} if of_movies else {}
    )


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


def _find(names: list[str], pattern: str) -> list[str]:
    """Return the files that match, the least deep alone; of `x.inter`, `x.part1.inter` and so on the first."""
    matches = [PurePosixPath(name) for name in names if fnmatch.fnmatchcase(PurePosixPath(name).name, pattern)]
    depth = min((len(path.parts) for path in matches), default=0)
    least = [path for path in matches if len(path.parts) == depth]
    wholes = tuple(f"{path.with_suffix('')}." for path in least)
    return [str(path) for path in least if not str(path.with_suffix("")).startswith(wholes)]


def _detect(source: Path, names: list[str]) -> tuple[TableConfig, str]:
    """Return the description of a release and the path of its ratings file."""
    for release in RELEASES:
        found = _find(names, release.ratings)
        if len(found) > 1:
            raise LikelyError(
                f"{source} holds several files of ratings, {found[0]} and {found[1]}; give the folder of one release, "
                "or name the files with --ratings and the options after it, such as --eval-ratings."
            )
        if found:
            return release, found[0]
    known = ", ".join(release.ratings for release in RELEASES)
    raise LikelyError(
        f"{source} holds no MovieLens ratings ({known}); give the folder or zip of a release, or name the files and "
        "columns of a table of your own with --ratings and the options after it."
    )


def _read_file(source: Path, name: str) -> bytes:
    try:
        if source.is_dir():
            return (source / name).read_bytes()
        with zipfile.ZipFile(source) as archive:
            return read_member(archive, name)
    except BROKEN_ZIP as error:
        raise LikelyError(f"{name} in {source} cannot be read ({error}); fetch or unpack the release again.") from error
