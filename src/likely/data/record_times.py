"""The times of records from several files, all of them in seconds.

`records` reads a time as the number or the date that a file has. Whether numbers are seconds or, say, milliseconds only
all of them together tell, by the rule for tables (`times`); `evaluation.asked` asks here before anything is counted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import polars as pl

from likely.data.records import TIME, Record
from likely.data.times import seconds

UNITS = {1e3: "milliseconds", 1e6: "microseconds", 1e9: "nanoseconds"}


def in_seconds(parts: Sequence[Sequence[Record]]) -> tuple[list[list[Record]], list[str]]:
    """Return records whose times are in seconds since 1970, and a sentence where they are other numbers in the files.

    A time that seems to be in another unit than others is left out of its record.

    Args:
        parts: records of each part.
    """
    given = dict.fromkeys(time for part in parts for record in part for time in _time_of(record))
    read = dict(zip(given, seconds(pl.Series(list(given), dtype=pl.Float64)).to_list(), strict=True)) if given else {}
    if all(time == read[time] for time in given):
        return [list(part) for part in parts], []

    def timed(record: Record) -> Record:
        times = [read[time] for time in _time_of(record)]
        return replace(record, extra={**record.extra, TIME: times[0]}) if times else record

    of_unit = {_unit_of(time, moment) for time, moment in read.items() if moment}
    said = f"The timestamps of these records are read as {of_unit.pop()}." if len(of_unit) == 1 else ""
    return [[timed(record) for record in part] for part in parts], [said] if said else []


def _time_of(record: Record) -> Iterable[float]:
    """Yield the time of a record, if it has a number for one."""
    time = record.extra.get(TIME)
    if isinstance(time, int | float) and abs(time) < 2**63:
        yield time


def _unit_of(time: float, moment: float) -> str:
    """Return what a number that stands for a moment in seconds is in."""
    times = time / moment
    return next((name for unit, name in UNITS.items() if 0.99 < times / unit < 1.01), "dates of digits")
