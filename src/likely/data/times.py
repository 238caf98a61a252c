"""Times of a table, however they are spelled, as seconds since 1970; `ratings` reads its column of times through it."""

import polars as pl

LATEST_SECOND = 1e11
"""Times beyond the year 5138 are taken for milliseconds, a thousand times later for microseconds, then nanoseconds, and
then for none."""

EARLIEST_SECOND = 1e8
"""Milliseconds between 1970 and March 1973 are taken for none: seconds among them would be such."""

DIGITS_OF_DATES = {"%Y%m%d": 1, "%Y%m%d%H%M%S": 10**6}
"""Dates without signs between, as in 20240531, and how many times as large they are. As seconds, all times of a table
would be in August 1970."""


def seconds(text: pl.Series) -> pl.Series:
    """Return times in seconds since 1970, i64 where all are whole and f64 otherwise.

    Null where a text is no time, or seems to be in another unit than others.
    """
    if (dates := _seconds_of_digits(text)) is not None:
        return dates
    numbers = text.cast(pl.Float64, strict=False)
    numbers = numbers.to_frame().select(pl.when(pl.first().is_finite()).then(pl.first())).to_series()
    if numbers.null_count() > text.null_count():
        dates = _seconds_of_dates(text)
        numbers = dates if dates.null_count() < numbers.null_count() else numbers
    else:
        # The middle one: a single time that is far too large is to be blamed itself.
        middle = float(str(numbers.set(numbers == 0, None).abs().median() or 0))
        unit = next((unit for unit in (1, 1e3, 1e6) if middle < LATEST_SECOND * unit), 1e9)
        sound = (numbers.abs() >= EARLIEST_SECOND * unit) | (numbers == 0) if unit > 1 else numbers.is_not_null()
        # numpy divides exactly where polars multiplies by the inverse.
        numbers = pl.Series(numbers.set(~sound, None).to_numpy() / unit).fill_nan(None)
        numbers = numbers.set(numbers.abs() >= LATEST_SECOND, None)
    return numbers.cast(pl.Int64) if (numbers == numbers.floor()).all() else numbers


def _seconds_of_digits(text: pl.Series) -> pl.Series | None:
    """Return dates that are written as nothing but digits in seconds since 1970, i64; None where not all are such."""
    whole = text.cast(pl.Int64, strict=False)
    if whole.null_count() > text.null_count() or (text.dtype.is_float() and (whole != text).any()):
        return None
    for form, times in DIGITS_OF_DATES.items():
        if whole.is_between(1900_01_01 * times, 2100_00_00 * times).all():  # cheap for millions that are none
            dates = whole.cast(pl.String).str.to_datetime(form, strict=False, time_unit="us")
            if dates.null_count() == text.null_count() < len(text):
                return dates.dt.epoch("s")
    return None


def _seconds_of_dates(text: pl.Series) -> pl.Series:
    """Return ISO dates, and dates with times, which are UTC where they name no zone, in seconds since 1970, f64."""
    zoned = pl.first().str.replace(r"^(\d{4}-\d\d-\d\d) ", "${1}T").str.replace(r"(?:Z| UTC)$", "+00:00")
    forms = ("%Y-%m-%dT%H:%M:%S%.f%:z", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d")
    moments = [zoned.str.to_datetime(form, strict=False, time_unit="us").dt.epoch("us") for form in forms]
    return pl.Series(text.to_frame().select(pl.coalesce(moments)).to_series().to_numpy() / 1e6).fill_nan(None)
