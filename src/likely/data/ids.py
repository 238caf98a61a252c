"""Ids of users and items, which may be words, as numbers; for `table_file`, `ratings` and `items`."""

import polars as pl


def stripped(values: pl.Series) -> pl.Series:
    """Return text without white space around it, null where nothing is left; numbers stay as they are."""
    if values.dtype.is_numeric():
        return values
    return values.str.strip_chars().to_frame().select(pl.when(pl.first() != "").then(pl.first())).to_series()


def plain_ids(ids: pl.Series) -> pl.Series:
    """Return ids with 7.0, as a column of numbers with gaps has it, as the 7 of other files."""
    if ids.dtype != pl.String or not ids.str.ends_with(".0").any():
        return ids
    return ids.str.replace(r"^(-?\d+)\.0$", "${1}")


def parse_id(text: pl.Expr) -> pl.Expr:
    """Return i32 where a text is a whole number below 2^31 that is spelled as such: 7 or 7.0, neither 07 nor -7."""
    text = text.str.strip_suffix(".0")
    other = pl.any_horizontal(text.str.starts_with(sign) for sign in "+-0") & (text != "0")
    return pl.when(~other).then(text.cast(pl.Int32, strict=False))


def is_number(name: str) -> pl.Expr:
    """Say whether ids are such numbers, or spelled as such."""
    return parse_id(pl.col(name).cast(pl.String)).is_not_null()


def spellings(ids: pl.Series, everything: pl.Series) -> pl.Series | None:
    """Return the sorted texts of which ids are to become the places; None for ids that are all numbers themselves."""
    numbers = ids.dtype.is_numeric() or ids.to_frame("id").select(is_number("id").all()).item()
    return None if numbers else everything.unique().sort()


def numbered(ids: pl.Series, spelled: pl.Series | None) -> pl.Series:
    """Return ids as numbers, i32."""
    return (ids if spelled is None else ids.cast(pl.Enum(spelled)).to_physical()).cast(pl.Int32)
