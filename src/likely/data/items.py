"""What a table says of its items: titles, years and details, from a file of their own or columns of the ratings.

`ratings` asks it for the items that were rated; text columns come from `table_file`.
"""

import ast
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from likely.config.table_config import TableConfig
from likely.data.ids import is_number, numbered, plain_ids, stripped
from likely.data.table_file import TRUTHS, UNIT, TableFile, open_table
from likely.data.titles import split_title
from likely.errors import LikelyError

NO_DETAIL = {"", "(no genres listed)", "unknown"}
"""How files say that an item has no detail."""


def listed_items(files: Sequence[TableFile], config: TableConfig, read: Callable[[str], bytes]) -> pl.DataFrame:
    """Return item, title and year as text and details list[str] of every item of the items file, or of the ratings.

    Args:
        files: of the ratings.
        config: names the items file and the columns.
        read: gives the content of a file by its name.

    Raises:
        LikelyError: a column is not there, or an id or a flag is wrong.
    """
    key = config.item
    if config.items:
        files = [open_table(config.items, read(config.items), config.items_columns)]
        key = config.item_in_items or key
    parts = config.details_parts
    columns = [key, *(name for name in (config.title, config.year) if name), *(column for _, column, _ in parts)]
    lists = [column for _, column, _ in parts]
    rows = _together([file.read([*columns, *config.flags], lists=lists) for file in files])
    filled = pl.any_horizontal(pl.all().is_not_null())
    rows = rows.with_columns(plain_ids(stripped(rows[key])).alias(key))
    if config.items and config.ids == "numbers":
        wrong = filled & ~is_number(key).fill_null(False)
        for row in rows.select(wrong.arg_true()).to_series().head(1).to_list():
            raise LikelyError(
                f"{files[0].place(row)[0]} has no valid id of a {config.noun} ({rows[key][row]!r}); fix or remove the "
                "line."
            )
    rows = rows.filter(pl.col(key).is_not_null())
    if not config.items:  # what rows say of an item must not depend on their order
        rows = rows.unique().sort(rows.columns)
    rows = rows.unique(key, keep="last", maintain_order=True)
    told = [_details(row, config) for row in rows.iter_rows(named=True)]
    nothing = pl.Series([None] * len(rows), dtype=pl.String)
    titles, years = (stripped(rows[name]) if name else nothing for name in (config.title, config.year))
    listed = pl.DataFrame({"item": rows[key], "title": titles, "year": years})
    # Text that is split again: polars is slow to make a column of very many short lists.
    joined = pl.Series("details", [UNIT.join(details) for details in told], pl.String)
    return listed.with_columns(joined.str.split(UNIT).list.eval(pl.element().filter(pl.element() != "")))


def _details(row: Mapping[str, Any], config: TableConfig) -> list[str]:
    """Return the details of an item, each once, whichever columns say it."""
    parts = config.details_parts
    told = [f"{before}{part}{after}" for before, name, after in parts for part in _parts(row[name], config)]
    told += [flag for flag in config.flags if _is_set(row[flag], flag, config) and flag not in NO_DETAIL]
    return list(dict.fromkeys(told))


def _together(tables: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return several tables as one; lists are text where not all of them have lists."""
    other = [name for name, kind in tables[0].schema.items() if any(table.schema[name] != kind for table in tables)]
    alike = [table.with_columns(_as_text(table[name]) for name in other) for table in tables]
    return pl.concat(alike, how="vertical_relaxed")


def _as_text(values: pl.Series) -> pl.Series:
    """Return lists as the JSON that spells them, and what is none as it is."""
    if not isinstance(values.dtype, pl.List):
        return values
    spelled = [None if value is None else json.dumps(value, default=str) for value in values.to_list()]
    return pl.Series(values.name, spelled, pl.String)


def _is_set(value: str | None, flag: str, config: TableConfig) -> bool:
    spelled = (value or "").strip().lower() or "0"
    if spelled not in TRUTHS:
        raise LikelyError(
            f"Column {flag!r} of {config.items or config.ratings} holds {value!r}; write 1 or 0 in a column of flags."
        )
    return TRUTHS[spelled] == 1


def _parts(value: str | Sequence[Any] | None, config: TableConfig) -> list[str]:
    """Return the details in a field: in a list, as JSON or Python spell one, or between separators.

    One level of lists in a list is unfolded, and what is nothing in it is left out.
    """
    if isinstance(value, str):
        listed = _listed(value) if value.startswith("[") else None
        separator = next((one for one in config.details_separators if one in value), None)
        value = value.split(separator or "\n") if listed is None else listed
    unfolded = [part for one in value or () for part in (one if isinstance(one, list) else [one])]
    parts = [" ".join(str(part).split()) for part in unfolded if part is not None]
    return [part for part in dict.fromkeys(parts) if part not in NO_DETAIL]


def _listed(text: str) -> list[Any] | None:
    """Return the list that a text spells; None for what is no list."""
    for parse in (json.loads, ast.literal_eval):
        try:
            parts = parse(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
        return parts if isinstance(parts, list) else None
    return None


def named_items(items: pl.DataFrame, spellings: pl.Series | None) -> pl.DataFrame:
    """Return items as in :class:`RatingTable`; the id stands for a title that is missing."""
    if spellings is None:
        items = items.filter(is_number("item"))
    titles, years = [], []
    for item, title, year in items.select("item", "title", "year").iter_rows():
        name, year_in_title = split_title(title or item)
        match = re.match(r"\d{4}(?!\d)", year or "")
        titles.append(name)
        years.append(int(match[0]) if match and int(match[0]) else year_in_title)
    columns = {"item_id": numbered(items["item"], spellings), "title": titles, "year": years}
    named = pl.DataFrame(columns, schema_overrides={"title": pl.String, "year": pl.Int32})
    return named.with_columns(items["details"].fill_null([]))
