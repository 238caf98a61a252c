"""Any table of ratings, described by a `TableConfig`, as numbers in time and items with titles and details.

Text columns come from `table_file`; the tables go to `timelines` and `preparation`. The releases that `movielens` knows
are read here too.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from likely.config.table_config import TableConfig
from likely.data.ids import is_number, numbered, plain_ids, spellings, stripped
from likely.data.items import listed_items, named_items
from likely.data.protocol import SPLITS
from likely.data.table_file import TRUTHS, UNIT, TableFile, open_table, read_bytes
from likely.data.times import seconds
from likely.data.wording import MOVIES, Words
from likely.errors import LikelyError

TIME = "timestamp"
"""Column of times where a description names none and a file has it."""


WRITE = {
    "time": "write seconds since 1970 or a date such as 2024-05-31 18:30:00, the same in all lines, or ",
    "label": "write 1 or 0, yes or no, or true or false in all lines, or ",
    "rating": "write a number such as 3.5, or ",
    "quantity": "write a number such as 3.5, 0 or more, or ",
}
"""What a column takes, for the message on a line that has something else."""


@dataclass(frozen=True)
class RatingTable:
    """Who rated what, and what that is.

    Attributes:
        name: of the data, such as "ml-latest-small".
        ratings: in the order of the file: user_id i32, item_id i32, rating f64, timestamp (seconds since 1970, i64, or
            f64 where not all are whole; without times the place in the file). A rating may also be a quantity, a
            given label, 1 or 0, or 1 for whatever a user took (`words.shows`). No pair of user and item occurs twice,
            unless the split is given: then there is a column part, Enum ("train", "eval", "test").
        items: item_id i32, title str (natural word order, without the year), year i32 or null, details list[str].
            Every rated item is among them.
        words: for what is rated, and the scale.
        user_names: how ids are spelled, by user_id; None where they are numbers.
        item_names: likewise.
        notes: what a user should know of how the files were read, a sentence each.
        timed: whether timestamps are times, and not places in the file.
    """

    name: str
    ratings: pl.DataFrame
    items: pl.DataFrame
    words: Words = MOVIES
    user_names: pl.Series | None = None
    item_names: pl.Series | None = None
    notes: tuple[str, ...] = ()
    timed: bool = True


def read_ratings(config: TableConfig, read: Callable[[str], bytes] = read_bytes) -> RatingTable:
    """Read a table of ratings, or the three of a given split, and what it says of its items.

    Of several ratings of an item by one user the last in time counts, and of equal times the last in the file. Of
    implicit data the first counts: at the later ones the user had taken the item already. A given split is kept as it
    is.

    Args:
        config: the files, their columns and the scale.
        read: gives the content of a file by its name.

    Raises:
        LikelyError: a file or column is not there, a row is wrong (its line is named), the items file knows none of the
            rated items, or all ratings are equal where they are to tell the scale.
    """
    paths = [path for path in (config.ratings, config.eval_ratings, config.test_ratings) if path]
    files = [open_table(path, read(path), config.columns) for path in paths]
    if "time" not in config.model_fields_set and all(TIME in file.columns for file in files):
        config = config.model_copy(update={"time": TIME})
    if config.split == "global-time" and not config.time:
        raise LikelyError("split global-time needs times; name their column with time.")
    table = _joined([_parse(file, config) for file in files], config)
    ends = _ends_of(table, config)
    words = Words(config.noun, config.plural, config.details_noun, *ends, config.shows, config.done, config.unit)
    listed = listed_items(files, config, read)
    rated = table["item"].unique().cast(pl.String).sort()
    _check_known(rated, listed, words, config)
    items = pl.concat([listed, rated.filter(~rated.is_in(listed["item"].implode())).to_frame("item")], how="diagonal")
    user_names, item_names = spellings(table["user"], table["user"]), spellings(rated, items["item"])
    users, item_ids = numbered(table["user"], user_names), numbered(table["item"], item_names)
    numbers = {"user_id": users, "item_id": item_ids, "rating": table["rating"], "timestamp": table["time"]}
    ratings = pl.DataFrame(numbers | ({"part": table["part"]} if config.is_split else {}))
    unique, repeated = _first_of_each(ratings)
    notes = _notes(table, listed, words, config, repeated)
    name = config.name or re.split(r"[/\\]", config.ratings)[-1].partition(".")[0]
    kept = ratings if config.is_split else unique
    named = named_items(items, item_names)
    return RatingTable(name, kept, named, words, user_names, item_names, notes, timed=config.time is not None)


def on_scale_of(data: RatingTable, config: TableConfig) -> TableConfig:
    """Return a description with the scale that was found in the ratings, where it names none."""
    if config.shows != "rating" or config.scale is not None:
        return config
    return config.model_copy(update={"scale": (data.words.lowest, data.words.highest)})


def _notes(
    table: pl.DataFrame, listed: pl.DataFrame, words: Words, config: TableConfig, repeated: int
) -> tuple[str, ...]:
    """Return what a user should know of how the files were read."""
    rated = table["item"].unique().cast(pl.String)
    untitled = len(rated) - int(rated.is_in(listed.drop_nulls("title")["item"].implode()).sum())
    if config.is_split:
        again = f"{_are(repeated, 'line')} there for a user and {words.noun} again; a given split is kept as it is."
    elif config.implicit:
        again = f"{_are(repeated, 'line')} left out because the user had {words.verb} the same {words.noun} before."
    else:
        again = f"{_are(repeated, 'rating')} left out because the user had rated the same {words.noun} before."
    notes = {
        f"The scale is that of the ratings, {words.lowest:g} to {words.highest:g}.": (
            config.shows == "rating" and config.scale is None
        ),
        "No column of times is named, so the order of the file counts as the order in time.": config.time is None,
        "Each user's lines stand together, so hints and baselines know nothing of users further down.": (
            config.time is None and not config.is_split and _stand_together(table)
        ),
        "All times are equal, so within a user the order of ids counts as the order in time.": (
            config.time is not None and table["time"].n_unique() == 1
        ),
        "All times are within days of 1970, for they are read as seconds; where they are years or days, write dates "
        "such as 2024-05-31.": config.time is not None and bool(table["time"].is_between(1e3, 1e6).all()),
        f"No column of titles is named, so ids stand for {words.plural}.": config.title is None,
        f"{untitled:,} of {len(rated):,} {words.verb} {words.plural} have no title in "
        f"{config.items or config.ratings}; their ids stand for it.": config.title is not None and untitled > 0,
        again: repeated > 0,
    }
    return tuple(note for note, holds in notes.items() if holds)


def _stand_together(table: pl.DataFrame) -> bool:
    """Say whether there are several users, and the lines of each follow each other."""
    changes = int((table["user"] != table["user"].shift()).sum())
    return 0 < changes == table["user"].n_unique() - 1


def _are(number: int, noun: str) -> str:
    return f"1 {noun} is" if number == 1 else f"{number:,} {noun}s are"


def _check_known(rated: pl.Series, listed: pl.DataFrame, words: Words, config: TableConfig) -> None:
    if not rated.is_in(listed["item"].implode()).any():
        raise LikelyError(
            f"{config.items} lists none of the {len(rated):,} rated {words.plural}, whose ids are such as {rated[0]!r} "
            f"and in the items {listed['item'].min()!r}; name columns that agree with item and item_in_items."
        )


def _parse(file: TableFile, config: TableConfig) -> pl.DataFrame:
    """Return user and item, rating f64 and time, in the order of the file, without blank lines.

    Users and items are i32 where all ids of the file are numbers, otherwise text.

    Raises:
        LikelyError: there are no ratings, or one is wrong.
    """
    columns = {"user": config.user, "item": config.item}
    columns |= {"rating": config.value_column} if config.value_column else {}
    columns |= {"time": config.time} if config.time else {}
    ids = [config.user, config.item]
    written = ("time",) if config.label else ("rating", "time")  # labels may be words
    numbers = [column for role, column in columns.items() if role in written and column not in ids]
    text = file.read(list(columns.values()), ids, numbers)
    filled = text.select(pl.any_horizontal(pl.all().is_not_null())).to_series()
    table = pl.DataFrame({role: stripped(text[column]) for role, column in columns.items()})
    table = table.with_columns(plain_ids(table[role]) for role in ("user", "item"))
    times = seconds(table["time"]) if config.time else pl.Series(range(len(table)), dtype=pl.Int64)
    table = table.with_columns(_values(config).alias("rating"), times.alias("time"))
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


def _values(config: TableConfig) -> pl.Expr:
    """Return ratings, quantities or labels as numbers, null where a text is none; 1 where there is no column."""
    if config.shows == "nothing":
        return pl.lit(1.0)
    if config.shows == "label":
        return pl.col("rating").str.to_lowercase().replace_strict(TRUTHS, default=None, return_dtype=pl.Float64)
    numbers = pl.col("rating").cast(pl.Float64, strict=False)
    return pl.when(numbers >= 0).then(numbers) if config.implicit else numbers


def _joined(parts: Sequence[pl.DataFrame], config: TableConfig) -> pl.DataFrame:
    """Return the parts of a given split as one table, with a column that tells them apart; or the only one as it is."""
    if not config.is_split:
        return parts[0]
    names = pl.Enum(SPLITS)
    told = [part.with_columns(pl.lit(name, names).alias("part")) for part, name in zip(parts, SPLITS, strict=True)]
    table = pl.concat(told, how="vertical_relaxed")
    return table if config.time else table.with_columns(pl.Series("time", range(len(table)), pl.Int64))


def _wrong(file: TableFile, row: int, values: dict[str, Any], config: TableConfig) -> str:
    """Return what is wrong with a rating."""
    where, fields = file.place(row)
    if miscounted := file.miscounted(row):
        return miscounted
    shown = f" ({file.separator.join(fields).replace(UNIT, '::')[:200]!r})" if fields else ""
    for key, value in values.items():
        role, text = config.shows if key == "rating" else key, str(value)
        if (
            value is None
            or value != value
            or (role in ("user", "item") and config.ids == "numbers" and not text.isdigit())
        ):
            return f"{where} has no valid {role}{shown}; {WRITE.get(role, '')}fix or remove the line."
    if config.scale and not config.scale[0] <= values["rating"] <= config.scale[1]:
        return (
            f"{where} has the rating {values['rating']:g} outside of the scale {config.scale[0]:g} to "
            f"{config.scale[1]:g}{shown}; fix or remove the line, or name another scale."
        )
    return f"{where} holds a number that is too large{shown}; fix or remove the line."


def _ends_of(table: pl.DataFrame, config: TableConfig) -> tuple[float, float]:
    """Return the ends of the scale, which those of the data are where none is named."""
    if config.shows in ("label", "nothing"):
        return 0.0, 1.0
    low, high = config.scale or table.select(low=pl.col("rating").min(), high=pl.col("rating").max()).row(0)
    if config.shows == "quantity":
        return 0.0, high
    if low == high:
        raise LikelyError(
            f"All ratings of {config.ratings} are {low:g}, so they do not tell the scale; name it with scale, such as "
            "1-10."
        )
    return low, high


def _first_of_each(ratings: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Keep the first rating in time of every user and item, and say how many were left out.

    The last one would take the place of the first, and so change what histories show of the time between them.
    """
    # One sortable number a pair: sorting 32 million of them is much cheaper than hashing rows.
    pair = (pl.col("user_id").cast(pl.Int64) * 2**32 + pl.col("item_id")).alias("pair")
    pairs = ratings.select(pair).to_series().sort()
    again = pairs.filter(pairs == pairs.shift()).unique()
    if again.is_empty():
        return ratings, 0
    doubtful = ratings.select("timestamp", pair).with_row_index("row").filter(pl.col("pair").is_in(again.implode()))
    one = doubtful.sort("timestamp", "row").unique("pair", keep="first", maintain_order=True)["row"]
    left_out = doubtful["row"].filter(~doubtful["row"].is_in(one.implode()))
    kept = np.ones(len(ratings), bool)
    kept[left_out.to_numpy()] = False
    return ratings.filter(pl.Series(kept)), len(left_out)
