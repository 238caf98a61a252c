"""Any table of ratings, described by a `TableConfig`, as numbers in time and items with titles and details.

Text columns come from `table_file`; the tables go to `timelines` and `preparation`. The releases that `movielens` knows
are read here too.
"""

import ast
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from likely.config.table_config import TableConfig
from likely.data.ids import is_number, numbered, spellings, stripped
from likely.data.table_file import UNIT, TableFile, open_table, read_bytes
from likely.data.titles import split_title
from likely.data.wording import MOVIES, Words
from likely.errors import LikelyError

NO_DETAIL = {"", "(no genres listed)", "unknown"}
"""How files say that an item has no detail."""

LATEST_SECOND = 1e11
"""Times beyond the year 5138 are taken for milliseconds, and a thousand times later for microseconds, and so on."""

_DETAIL = re.compile(r"(.*)\{([^{}]+)\}(.*)")


@dataclass(frozen=True)
class RatingTable:
    """Who rated what, and what that is.

    Attributes:
        name: of the data, such as "ml-latest-small".
        ratings: in the order of the file: user_id i32, item_id i32, rating f64, timestamp (seconds since 1970, i64, or
            f64 where not all are whole; without times the place in the file). No pair of user and item occurs twice.
        items: item_id i32, title str (natural word order, without the year), year i32 or null, details list[str].
            Every rated item is among them.
        words: for what is rated, and the scale.
        user_names: how ids are spelled, by user_id; None where they are numbers.
        item_names: likewise.
        notes: what a user should know of how the files were read, a sentence each.
    """

    name: str
    ratings: pl.DataFrame
    items: pl.DataFrame
    words: Words = MOVIES
    user_names: pl.Series | None = None
    item_names: pl.Series | None = None
    notes: tuple[str, ...] = ()


def read_ratings(config: TableConfig, read: Callable[[str], bytes] = read_bytes) -> RatingTable:
    """Read a table of ratings and what it says of its items.

    Of several ratings of an item by one user the last in time counts, and of equal times the last in the file.

    Args:
        config: the files, their columns and the scale.
        read: gives the content of a file by its name.

    Raises:
        LikelyError: a file or column is not there, a row is wrong (its line is named), the items file knows none of the
            rated items, or all ratings are equal where they are to tell the scale.
    """
    file = open_table(config.ratings, read(config.ratings), config.columns)
    table = _parse(file, config)
    scale = config.scale or _scale_of(table, file.name)
    words = Words(config.noun, config.plural, config.details_noun, *scale)
    listed = _listed_items(file, config, read)
    rated = table["item"].unique().cast(pl.String).sort()
    _check_known(rated, listed, words, config)
    items = pl.concat([listed, rated.filter(~rated.is_in(listed["item"].implode())).to_frame("item")], how="diagonal")
    user_names, item_names = spellings(table["user"], table["user"]), spellings(rated, items["item"])
    users, item_ids = numbered(table["user"], user_names), numbered(table["item"], item_names)
    ratings = pl.DataFrame(
        {"user_id": users, "item_id": item_ids, "rating": table["rating"], "timestamp": table["time"]}
    )
    unique, repeated = _last_of_each(ratings)
    untitled = len(rated) - int(rated.is_in(items.drop_nulls("title")["item"].implode()).sum())
    notes = {
        f"The scale is that of the ratings, {scale[0]:g} to {scale[1]:g}.": config.scale is None,
        "No column of times is named, so the order of the file counts as the order in time.": config.time is None,
        "All times are equal, so within a user the order of ids counts as the order in time.": (
            config.time is not None and table["time"].n_unique() == 1
        ),
        f"No column of titles is named, so ids stand for {words.plural}.": config.title is None,
        f"{untitled:,} of {len(rated):,} rated {words.plural} have no title in {config.items or config.ratings}; their "
        "ids stand for it.": config.title is not None and untitled > 0,
        f"{repeated:,} ratings are left out because the user rated the same {words.noun} again later.": repeated > 0,
    }
    name = config.name or re.split(r"[/\\]", config.ratings)[-1].partition(".")[0]
    said = tuple(note for note, holds in notes.items() if holds)
    return RatingTable(name, unique, _named_items(items, item_names), words, user_names, item_names, said)


def _check_known(rated: pl.Series, listed: pl.DataFrame, words: Words, config: TableConfig) -> None:
    if not rated.is_in(listed["item"].implode()).any():
        raise LikelyError(
            f"{config.items} lists none of the {len(rated):,} rated {words.plural}, whose ids are such as {rated[0]!r} "
            f"and in the items {listed['item'].min()!r}; name columns that agree with item and item_in_items."
        )


# Ratings


def _parse(file: TableFile, config: TableConfig) -> pl.DataFrame:
    """Return user and item as text, rating f64 and time, in the order of the file, without blank lines.

    Raises:
        LikelyError: there are no ratings, or one is wrong.
    """
    columns = {"user": config.user, "item": config.item, "rating": config.rating}
    columns |= {"time": config.time} if config.time else {}
    ids, numbers = [config.user, config.item], list(columns.values())[2:]
    text = file.read([*ids, *numbers], ids, [name for name in numbers if name not in ids])
    filled = text.select(pl.any_horizontal(pl.all().is_not_null())).to_series()
    table = pl.DataFrame({role: stripped(text[column]) for role, column in columns.items()})
    times = _seconds(table["time"]) if config.time else pl.Series(range(len(table)), dtype=pl.Int64)
    table = table.with_columns(pl.col("rating").cast(pl.Float64, strict=False), times.alias("time"))
    sound = pl.all_horizontal(pl.all().is_not_null()) & pl.col("rating").is_finite()
    if config.scale:
        sound &= pl.col("rating").is_between(*config.scale)
    for role in ("user", "item"):
        if config.ids == "numbers" and table[role].dtype == pl.String:
            sound &= is_number(role)
    right = table.select(sound.fill_null(False)).to_series()
    for row in (filled & ~right).arg_true().head(1).to_list():
        raise LikelyError(_wrong(file, row, table.row(row, named=True), config))
    table = table.filter(filled)
    if table.is_empty():
        raise LikelyError(f"{file.name} holds no ratings; give a file with a rating a line.")
    return table


def _wrong(file: TableFile, row: int, values: dict[str, Any], config: TableConfig) -> str:
    """Return what is wrong with a rating."""
    where, fields = file.place(row)
    if miscounted := file.miscounted(row):
        return miscounted
    shown = f" ({file.separator.join(fields).replace(UNIT, '::')[:200]!r})" if fields else ""
    for role, value in values.items():
        text = str(value)
        if (
            value is None
            or value != value
            or (role in ("user", "item") and config.ids == "numbers" and not text.isdigit())
        ):
            return f"{where} has no valid {role}{shown}; fix or remove the line."
    if config.scale and not config.scale[0] <= values["rating"] <= config.scale[1]:
        return (
            f"{where} has the rating {values['rating']:g} outside of the scale {config.scale[0]:g} to "
            f"{config.scale[1]:g}{shown}; fix or remove the line, or name another scale."
        )
    return f"{where} holds a number that is too large{shown}; fix or remove the line."


def _seconds(text: pl.Series) -> pl.Series:
    """Return times in seconds since 1970, i64 where all are whole and f64 otherwise; null where a text is no time."""
    numbers = text.cast(pl.Float64, strict=False)
    numbers = numbers.to_frame().select(pl.when(pl.first().is_finite()).then(pl.first())).to_series()
    if numbers.null_count() > text.null_count():
        dates = _seconds_of_dates(text)
        numbers = dates if dates.null_count() < numbers.null_count() else numbers
    else:
        latest = float(str(numbers.abs().max() or 0))
        unit = next((unit for unit in (1, 1e3, 1e6) if latest < LATEST_SECOND * unit), 1e9)
        # numpy divides exactly where polars multiplies by the inverse.
        numbers = pl.Series(numbers.to_numpy() / unit).fill_nan(None)
    return numbers.cast(pl.Int64) if (numbers == numbers.floor()).all() else numbers


def _seconds_of_dates(text: pl.Series) -> pl.Series:
    """Return ISO dates, and dates with times, which are UTC where they name no zone, in seconds since 1970, f64."""
    zoned = pl.first().str.replace(r"^(\d{4}-\d\d-\d\d) ", "${1}T").str.replace(r"(?:Z| UTC)$", "+00:00")
    forms = ("%Y-%m-%dT%H:%M:%S%.f%:z", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d")
    moments = [zoned.str.to_datetime(form, strict=False, time_unit="us").dt.epoch("us") for form in forms]
    return pl.Series(text.to_frame().select(pl.coalesce(moments)).to_series().to_numpy() / 1e6).fill_nan(None)


def _scale_of(table: pl.DataFrame, name: str) -> tuple[float, float]:
    low, high = table.select(pl.col("rating").min().alias("low"), pl.col("rating").max().alias("high")).row(0)
    if low == high:
        raise LikelyError(
            f"All ratings of {name} are {low:g}, so they do not tell the scale; name it with scale, such as 1-10."
        )
    return low, high


def _last_of_each(ratings: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Keep the last rating of every user and item, and say how many were left out."""
    # One sortable number a pair: sorting 32 million of them is much cheaper than hashing rows.
    pair = (pl.col("user_id").cast(pl.Int64) * 2**32 + pl.col("item_id")).alias("pair")
    pairs = ratings.select(pair).to_series().sort()
    again = pairs.filter(pairs == pairs.shift()).unique()
    if again.is_empty():
        return ratings, 0
    doubtful = ratings.select("timestamp", pair).with_row_index("row").filter(pl.col("pair").is_in(again.implode()))
    last = doubtful.sort("timestamp", "row").unique("pair", keep="last", maintain_order=True)["row"]
    left_out = doubtful["row"].filter(~doubtful["row"].is_in(last.implode()))
    kept = np.ones(len(ratings), bool)
    kept[left_out.to_numpy()] = False
    return ratings.filter(pl.Series(kept)), len(left_out)


# Items


def _listed_items(file: TableFile, config: TableConfig, read: Callable[[str], bytes]) -> pl.DataFrame:
    """Return item, title and year as text and details list[str] of every item of the items file, or of the ratings."""
    key = config.item
    if config.items:
        file = open_table(config.items, read(config.items), config.items_columns)
        key = config.item_in_items or key
    details = [_DETAIL.fullmatch(name) or _DETAIL.fullmatch(f"{{{name}}}") for name in config.details]
    parts = [match.groups() for match in details if match]
    columns = [key, *(name for name in (config.title, config.year) if name), *(column for _, column, _ in parts)]
    rows = file.read([*columns, *config.flags])
    filled = pl.any_horizontal(pl.all().is_not_null())
    rows = rows.with_columns(stripped(rows[key]).alias(key))
    if config.items and config.ids == "numbers":
        wrong = filled & ~is_number(key).fill_null(False)
        for row in rows.select(wrong.arg_true()).to_series().head(1).to_list():
            raise LikelyError(
                f"{file.place(row)[0]} has no valid id of a {config.noun} ({rows[key][row]!r}); fix or remove the line."
            )
    rows = rows.filter(pl.col(key).is_not_null())
    if not config.items:  # what rows say of an item must not depend on their order
        texts = [name for name, dtype in rows.schema.items() if dtype == pl.String]
        rows = rows.unique(texts).sort(texts)
    rows = rows.unique(key, keep="last", maintain_order=True)
    told = [
        [f"{before}{part}{after}" for before, name, after in parts for part in _parts(row[name], config)]
        + [flag for flag in config.flags if row[flag] == "1" and flag not in NO_DETAIL]
        for row in rows.iter_rows(named=True)
    ]
    nothing = pl.Series([None] * len(rows), dtype=pl.String)
    titles, years = (stripped(rows[name]) if name else nothing for name in (config.title, config.year))
    listed = pl.DataFrame({"item": rows[key], "title": titles, "year": years})
    # Text that is split again: polars is slow to make a column of very many short lists.
    joined = pl.Series("details", [UNIT.join(details) for details in told], pl.String)
    return listed.with_columns(joined.str.split(UNIT).list.eval(pl.element().filter(pl.element() != "")))


def _parts(value: str | Sequence[str] | None, config: TableConfig) -> list[str]:
    """Return the details in a field: in a list, as JSON or Python spell one, or between separators."""
    if isinstance(value, str) and value.startswith("["):
        value = _listed(value) or value
    if isinstance(value, str):
        value = value.split(next((one for one in config.details_separators if one in value), None) or "\n")
    parts = [" ".join(str(part).split()) for part in value or ()]
    return [part for part in dict.fromkeys(parts) if part not in NO_DETAIL]


def _listed(text: str) -> list[str] | None:
    """Return the texts of a list within text, one level of lists in it unfolded; None for what is no list."""
    for parse in (json.loads, ast.literal_eval):
        try:
            parts = parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        return [str(one) for part in parts for one in (part if isinstance(part, list) else [part])]
    return None


def _named_items(items: pl.DataFrame, spelled: pl.Series | None) -> pl.DataFrame:
    """Return items as in :class:`RatingTable`; the id stands for a title that is missing."""
    if spelled is None:
        items = items.filter(is_number("item"))
    titles, years = [], []
    for item, title, year in items.select("item", "title", "year").iter_rows():
        name, year_in_title = split_title(title or item)
        match = re.match(r"\d{4}(?!\d)", year or "")
        titles.append(name)
        years.append(int(match[0]) if match and int(match[0]) else year_in_title)
    columns = {"item_id": numbered(items["item"], spelled), "title": titles, "year": years}
    named = pl.DataFrame(columns, schema_overrides={"title": pl.String, "year": pl.Int32})
    return named.with_columns(items["details"].fill_null([]))
