"""The times of records from several files, all of them in seconds.

`records` reads a time as the number or the date that a file has. Whether numbers are seconds or, say, milliseconds only
all of them together tell, by the rule for tables (`times`); `evaluation.asked` asks here before anything is counted.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice

import polars as pl

from likely.data.records import TIME, Record
from likely.data.times import seconds


def in_seconds(parts: Sequence[Sequence[Record]]) -> tuple[list[list[Record]], list[str]]:
    """Return records whose times are in seconds since 1970, and a sentence where they are other numbers in the files.

    A time that seems to be in another unit than others is left out of its record.

    Args:
        parts: records of each part.
    """
    given = dict.fromkeys(_time_of(record) for part in parts for record in part)
    given.pop(None, None)
    read = dict(zip(given, seconds(pl.Series(list(given), dtype=pl.Float64)).to_list(), strict=True)) if given else {}
    others = {time: moment for time, moment in read.items() if time != moment}
    if not others:
        return [list(part) for part in parts], []

    def timed(record: Record) -> Record:
        time = _time_of(record)
        return record if time is None else replace(record, extra={**record.extra, TIME: read[time]})

    examples = (
        f"{time:.0f} is read as {datetime.fromtimestamp(moment, UTC)}"
        for time, moment in others.items()
        if time is not None and moment is not None
    )
    said = [f"The timestamps of these records are not in seconds: {one}." for one in islice(examples, 1)]
    return [[timed(record) for record in part] for part in parts], said


def _time_of(record: Record) -> float | None:
    """Return the time of a record, None where it has no number for one."""
    time = record.extra.get(TIME)
    return time if isinstance(time, int | float) and abs(time) < 2**63 else None
