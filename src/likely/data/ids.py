"""Ids of users and items, which may be words, as numbers; for `ratings` and `items`."""

import polars as pl


def stripped(values: pl.Series) -> pl.Series:
    """Return text without white space around it, null where nothing is left."""
    return values.str.strip_chars().to_frame().select(pl.when(pl.first() != "").then(pl.first())).to_series()


def is_number(name: str) -> pl.Expr:
    """Say whether ids are whole numbers below 2^31 that are spelled as such: 7, and neither 07 nor -7."""
    is_whole = pl.col(name).cast(pl.Int32, strict=False).is_not_null()
    return is_whole & ~pl.col(name).str.contains(r"^(?:[+-]|0\d)")


def spellings(ids: pl.Series, everything: pl.Series) -> pl.Series | None:
    """Return the sorted texts of which ids are to become the places; None for ids that are all numbers themselves."""
    numbers = ids.to_frame("id").select(is_number("id").all()).item()
    return None if numbers else everything.unique().sort()


def numbered(ids: pl.Series, spelled: pl.Series | None) -> pl.Series:
    """Return ids as numbers, i32."""
    return (ids if spelled is None else ids.cast(pl.Enum(spelled)).to_physical()).cast(pl.Int32)
