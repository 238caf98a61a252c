"""Turns ratings into records: what a user rated so far, a candidate, and whether the user liked it.

Takes the tables of `ratings`, puts each user's ratings in time order (the timeline), splits the
timeline so that no evaluated rating is earlier than a trained one of the same user; `preparation`
writes the rows of each split to a file.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from likely.data.liked_shares import TASTES, Shares, opinion_of_others
from likely.data.protocol import SPLITS, Split, SplitProtocol
from likely.data.ratings import RatingTable
from likely.data.wording import Words, hint, make_instruction, show_item, show_question, show_rated


def build_timelines(ratings: pl.DataFrame, protocol: SplitProtocol) -> pl.DataFrame:
    """Order ratings by user, then time, then item id, and say what each is used for.

    Returns:
        The columns of `ratings`, position u32 (in the user's timeline, from 0) and split Enum
        ("warmup", "train", "eval", "test").
    """
    table = ratings.sort("user_id", "timestamp", "item_id")
    starts = _user_starts(table)
    lengths = np.diff(starts)
    rest = np.maximum(lengths - protocol.warmup, 0)
    tests = np.minimum(_share(rest, protocol.test_fraction), rest)
    evals = np.minimum(_share(rest, protocol.eval_fraction), rest - tests)
    position = np.arange(len(table), dtype=np.uint32) - np.repeat(starts[:-1], lengths).astype(np.uint32)
    split = np.zeros(len(table), np.uint8)
    for first in (np.minimum(lengths, protocol.warmup), lengths - tests - evals, lengths - tests):
        split += position >= np.repeat(first.astype(np.uint32), lengths)
    names = pl.Series("split", ["warmup", *SPLITS], pl.Enum(["warmup", *SPLITS]))
    return table.with_columns(pl.Series("position", position), names.gather(pl.Series(split)))


def window_start(position: int, protocol: SplitProtocol) -> int:
    """Return where in the timeline the history of the candidate at `position` begins; it ends before `position`.

    With H = `history_length`, a sliding window is the last H ratings. An anchored one starts at a
    multiple of H and grows from H to 2H - 1 ratings before it moves on by H, so that consecutive
    records of one user begin alike. Both are shorter at the beginning of a timeline.

    >>> [window_start(position, SplitProtocol(history_length=3)) for position in range(3, 10)]
    [0, 0, 0, 3, 3, 3, 6]
    """
    length = protocol.history_length
    if protocol.window == "sliding":
        return max(0, position - length)
    return max(0, (position - length) // length * length)


@dataclass(frozen=True)
class Timeline:
    """What the rows of one user are made of, from the first rating that one of their histories shows.

    Attributes:
        user_id: of the user, as the data spell it.
        item_ids: of the items rated, likewise, in the order of the timeline, [n].
        lines: the items and ratings as a history shows them, [n].
        candidates: the items as a candidate is shown, [n].
        times: of the ratings, seconds since 1970, [n].
        likes: whether each rating is a like, [n].
        told: of each rating, what :func:`count_earlier_ratings` and :func:`add_tastes` say; empty without hints.
    """

    user_id: int | str
    item_ids: Sequence[int | str]
    lines: Sequence[str]
    candidates: Sequence[str]
    times: Sequence[float]
    likes: Sequence[bool]
    told: Sequence[Sequence[Any]]


def make_rows(
    table: pl.DataFrame, data: RatingTable, split: Split, protocol: SplitProtocol
) -> Iterator[dict[str, Any]]:
    """Yield the records of one split, user by user in time order.

    The history is every earlier rating in the window, whatever split it is in.

    Args:
        table: from :func:`build_timelines` with the same `protocol`; with hints, also through
            :func:`likely.data.liked_shares.count_earlier_ratings` and :func:`likely.data.liked_shares.add_tastes`.
        data: says what the items are, how ids are spelled, and the words.
        split: which rows.
        protocol: what becomes of a timeline.
    """
    question = make_instruction(protocol.like_threshold, data.words)
    named = data.items.select("item_id", "title", "year", "details").iter_rows()
    shown = {item_id: show_item(*item) for item_id, *item in named}
    spelled_users, spelled_items = (
        None if names is None else names.to_list() for names in (data.user_names, data.item_names)
    )
    names = ["item_id", "rating", "timestamp"]
    names += ["earlier_likes", "earlier_ratings", *TASTES] if protocol.hints else []
    columns = [table[name].to_numpy() for name in names]
    users = table["user_id"].to_numpy()
    wanted = (table["split"] == split).to_numpy()
    starts = _user_starts(table)
    for begin, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        positions = np.flatnonzero(wanted[begin:end]).tolist()
        if not positions:
            continue
        # Nothing before the first history is needed: eval and test rows end long timelines.
        offset = window_start(positions[0], protocol)
        item_ids, ratings, times, *told = (column[begin + offset : end].tolist() for column in columns)
        candidates = [shown[item_id] for item_id in item_ids]
        user = int(users[begin])
        timeline = Timeline(
            user_id=spelled_users[user] if spelled_users else user,
            item_ids=[spelled_items[item] for item in item_ids] if spelled_items else item_ids,
            lines=[show_rated(text, rating) for text, rating in zip(candidates, ratings, strict=True)],
            candidates=candidates,
            times=times,
            likes=[rating >= protocol.like_threshold for rating in ratings],
            told=list(zip(*told, strict=True)),
        )
        for position in positions:
            history = range(window_start(position, protocol) - offset, position - offset)
            yield {"instruction": question, **_row(timeline, history, data.words)}


def _row(timeline: Timeline, history: range, words: Words) -> dict[str, Any]:
    """Return what a record says beside its question; `history` are the places before its candidate's."""
    above, here = slice(history.start, history.stop), history.stop
    liked = sum(timeline.likes[above])
    shares = _shares(liked / len(history), timeline.told[here]) if timeline.told else None
    return {
        "input": show_question(timeline.lines[above], timeline.candidates[here], hint(shares, words) if shares else ""),
        "output": "Yes" if timeline.likes[here] else "No",
        "user_id": timeline.user_id,
        "item_id": timeline.item_ids[here],
        "timestamp": timeline.times[here],
        "history_likes": liked,
        "history_length": len(history),
        **({"shares": shares.known()} if shares else {}),
    }


def _shares(above: float, told: Sequence[Any]) -> Shares:
    """Return what a hint is made of, from the columns of `count_earlier_ratings` and `add_tastes`."""
    likes, ratings, of_all, of_genres, of_similar = told
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
