"""Turns ratings into records: what a user rated so far, a candidate, and whether the user liked it.

Takes the tables of `ratings`, puts each user's ratings in time order (the timeline), splits the
timeline so that no evaluated rating is earlier than a trained one of the same user, or of any; `preparation`
writes the rows of each split to a file.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from likely.data.liked_shares import TASTES
from likely.data.opinions import COUNTS, opinion_of_others
from likely.data.protocol import NOT_HELD_OUT, SPLITS, Split, SplitProtocol
from likely.data.question import show_question
from likely.data.ratings import RatingTable
from likely.data.records import CUT_AT_ANCHORS, DRAWN
from likely.data.shares import Shares
from likely.data.wording import Words, hint, make_instruction, show_item, show_rated
from likely.errors import LikelyError


def build_timelines(ratings: pl.DataFrame, protocol: SplitProtocol) -> pl.DataFrame:
    """Order ratings by user, then time, then item id, and say what each is used for.

    Returns:
        The columns of `ratings`, position u32 (in the user's timeline, from 0) and split Enum
        ("warmup", "train", "eval", "test").
    """
    given = protocol.split == "given"
    table = ratings.sort("user_id", "timestamp", *(["part"] if given else []), "item_id", maintain_order=given)
    starts = _user_starts(table)
    lengths = np.diff(starts)
    position = np.arange(len(table), dtype=np.uint32) - np.repeat(starts[:-1], lengths).astype(np.uint32)
    if given:
        split = table["part"].to_physical().to_numpy().astype(np.uint8) + 1
        split[(split == 1) & (position < protocol.warmup)] = 0
    elif protocol.split == "global-time":
        is_row = position >= protocol.warmup
        split = np.where(is_row, 1, 0).astype(np.uint8)
        for moment in global_cuts(table["timestamp"].to_numpy()[is_row], protocol):
            split += is_row & (table["timestamp"].to_numpy() >= moment)
    else:
        rest = np.maximum(lengths - protocol.warmup, 0)
        tests = np.minimum(_share(rest, protocol.test_fraction), rest)
        evals = np.minimum(_share(rest, protocol.eval_fraction), rest - tests)
        split = np.zeros(len(table), np.uint8)
        for first in (np.minimum(lengths, protocol.warmup), lengths - tests - evals, lengths - tests):
            split += position >= np.repeat(first.astype(np.uint32), lengths)
    names = pl.Series("split", ["warmup", *SPLITS], pl.Enum(["warmup", *SPLITS]))
    told = table.drop("part") if given else table
    return told.with_columns(pl.Series("position", position), names.gather(pl.Series(split)))


def global_cuts(times: NDArray[np.generic], protocol: SplitProtocol) -> tuple[Any, Any]:
    """Return the first moments of the eval and of the test rows, where all users are cut at the same ones.

    Args:
        times: of all ratings after the warm-ups.
        protocol: says the shares.

    Raises:
        LikelyError: there are too few moments for three parts.
    """
    ordered = np.sort(times)
    tests, evals = (
        int(_share(np.array([len(ordered)]), one)[0]) for one in (protocol.test_fraction, protocol.eval_fraction)
    )
    first_test = ordered[-tests] if len(ordered) else None
    before = ordered[ordered < first_test] if len(ordered) else ordered
    first_eval = before[max(len(before) - evals, 0)] if len(before) else None
    if first_eval is None or first_eval == ordered[0]:
        raise LikelyError(
            f"split global-time finds no training rows: the {len(ordered):,} ratings after the warm-ups have too few "
            "different times; use split time or more data."
        )
    return first_eval, first_test


def shown_in_histories(table: pl.DataFrame, protocol: SplitProtocol) -> NDArray[np.bool_]:
    """Say which ratings of a timeline the histories of later candidates may show, bool [rows]."""
    if protocol.history_from == "all":
        return np.ones(len(table), bool)
    return table["split"].is_in(NOT_HELD_OUT).to_numpy()


def window_start(position: int, protocol: SplitProtocol) -> int:
    """Return where in the timeline the history of the candidate at `position` begins; it ends before `position`.

    With H = `history_length`, a sliding window is the last H ratings. An anchored one starts at a
    multiple of H and grows from H to 2H - 1 ratings before it moves on by H, so that consecutive
    records of one user begin alike; one of 5H grows to 5H - 1 and moves on by 4H. All are shorter at
    the beginning of a timeline, where a window of everything begins.

    >>> [window_start(position, SplitProtocol(history_length=3)) for position in range(3, 10)]
    [0, 0, 0, 3, 3, 3, 6]
    >>> [window_start(position, SplitProtocol(history_length=3, window="3H")) for position in range(7, 17)]
    [0, 0, 6, 6, 6, 6, 6, 6, 12, 12]
    """
    length = protocol.history_length
    if protocol.window == "all":
        return 0
    if protocol.window == "sliding":
        return max(0, position - length)
    times = 2 if protocol.window == "anchored" else int(protocol.window.removesuffix("H"))
    step = (times - 1) * length
    return max(0, (position - length) // step * step)


@dataclass(frozen=True)
class History:
    """The ratings of one user that histories show, in the order of time.

    Attributes:
        user_id: of the user, as the data spell it.
        lines: the items and ratings as a history shows them, [n].
        likes: whether each rating is a like, [n].
        parts: of a given split, which each is from, [n]; otherwise None.
    """

    user_id: int | str
    lines: Sequence[str]
    likes: Sequence[bool]
    parts: Sequence[str] | None


@dataclass(frozen=True)
class Candidate:
    """What a row asks about.

    Attributes:
        item_id: of the item, as the data spell it.
        text: the item as a candidate is shown.
        time: seconds since 1970.
        like: the answer.
        told: what :func:`count_earlier_ratings` and :func:`add_tastes` say; empty without hints.
    """

    item_id: int | str
    text: str
    time: float
    like: bool
    told: Sequence[Any] = ()


def make_rows(
    table: pl.DataFrame, data: RatingTable, split: Split, protocol: SplitProtocol
) -> Iterator[dict[str, Any]]:
    """Yield the records of one split, user by user in time order.

    The history is every earlier rating in the window, whatever split it is in, unless `history_from` is train. Items
    drawn as negatives follow the like that they were drawn for, and have its history.

    Args:
        table: from :func:`build_timelines` with the same `protocol`; with hints, also through
            :func:`likely.data.opinions.count_earlier_ratings` and :func:`likely.data.liked_shares.add_tastes`;
            with negatives, through :func:`likely.data.negatives.add_negatives`.
        data: says what the items are, how ids are spelled, and the words.
        split: which rows.
        protocol: what becomes of a timeline.
    """
    question = make_instruction(protocol.like_threshold, data.words)
    named = data.items.select("item_id", "title", "year", "details").iter_rows()
    texts = {item_id: show_item(*item) for item_id, *item in named}
    spelled_users, spelled_items = (
        None if names is None else names.to_list() for names in (data.user_names, data.item_names)
    )
    names = ["item_id", "timestamp", "rating"]
    names += [*COUNTS, *TASTES] if protocol.hints else []
    columns = [table[name].to_numpy() for name in names]
    items, ratings, users = columns[0], columns[2], table["user_id"].to_numpy()
    parts = table["split"].cast(pl.String).replace("warmup", "train").to_numpy() if protocol.split == "given" else None
    showable = shown_in_histories(table, protocol)
    wanted = (table["split"] == split).to_numpy()
    starts = _user_starts(table)
    for begin, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        asked = np.flatnonzero(wanted[begin:end])
        if not len(asked):
            continue
        places = np.flatnonzero(showable[begin:end])
        earlier = np.searchsorted(places, asked).tolist()
        # Nothing before the first history is needed: eval and test rows end long timelines.
        offset = window_start(earlier[0], protocol)
        shown, rows = begin + places[offset : earlier[-1]], begin + asked
        rated = list(zip(items[shown].tolist(), ratings[shown].tolist(), strict=True))
        history = History(
            user_id=_spelled(int(users[begin]), spelled_users),
            lines=[show_rated(texts[item], rating, data.words) for item, rating in rated],
            likes=[rating >= protocol.like_threshold for _, rating in rated],
            parts=None if parts is None else parts[shown].tolist(),
        )
        drawn = table["negatives"].gather(rows).to_list() if protocol.negatives else [()] * len(rows)
        values = zip(*(column[rows].tolist() for column in columns), strict=True)
        for count, negatives, (item, time, rating, *told) in zip(earlier, drawn, values, strict=True):
            window = slice(window_start(count, protocol) - offset, count - offset)
            for answered in (item, *(negatives or ())):
                like = answered == item and rating >= protocol.like_threshold
                candidate = Candidate(_spelled(answered, spelled_items), texts[answered], time, like, told)
                row = _row(history, window, candidate, data.words, protocol)
                row |= {CUT_AT_ANCHORS: True} if protocol.is_long else {}
                row |= {DRAWN: answered != item} if protocol.negatives else {}
                yield {"instruction": question, **row}


def _spelled(number: int, names: Sequence[str] | None) -> int | str:
    return names[number] if names else number


def _row(
    history: History, window: slice, candidate: Candidate, words: Words, protocol: SplitProtocol
) -> dict[str, Any]:
    """Return what a record says beside its question; the window of the history is what it shows."""
    lines, liked = history.lines[window], sum(history.likes[window])
    parts = Counter(history.parts[window]) if history.parts is not None else None
    shares = _shares(liked / len(lines) if lines else math.nan, candidate.told) if candidate.told else None
    said = hint(shares, words, protocol.short_hints) if shares else ""
    return {
        "input": show_question(lines, candidate.text, said, protocol.candidate_line),
        "output": "Yes" if candidate.like else "No",
        "user_id": history.user_id,
        "item_id": candidate.item_id,
        "timestamp": candidate.time,
        "history_likes": liked,
        "history_length": len(lines),
        **({} if parts is None else {"history_parts": {part: parts[part] for part in SPLITS if parts[part]}}),
        **({"shares": shares.known(words.details)} if shares else {}),
    }


def _shares(above: float, told: Sequence[Any]) -> Shares:
    """Return what a hint is made of, from the columns of `count_earlier_ratings` and `add_tastes`.

    Where nothing is above, which is so before a user's first rating alone, the prior of all earlier ones is no opinion.
    """
    likes, ratings, of_all, of_genres, of_similar = told
    of_all = math.nan if math.isnan(above) else of_all
    return Shares(of_all, above, of_genres, of_similar, opinion_of_others(likes, ratings))


def _user_starts(table: pl.DataFrame) -> NDArray[np.int64]:
    """Return the row where each user begins, and the number of rows, int64 [users + 1]."""
    users = table["user_id"].to_numpy()
    changes = np.flatnonzero(users[1:] != users[:-1]) + 1
    return np.concatenate([[0], changes, [len(users)]]).astype(np.int64)


def _share(counts: NDArray[np.int64], fraction: float) -> NDArray[np.int64]:
    """Return max(1, floor(count * fraction)) without the rounding errors of binary fractions (0.29 * 100 < 29)."""
    exact = Fraction(str(fraction))
    return np.maximum(counts * exact.numerator // exact.denominator, 1)
