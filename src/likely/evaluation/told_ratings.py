"""All ratings that records tell: those they ask about, and those that only their histories show.

Takes records of all parts and gives `counted_columns` who rated what and when. A history tells what its user's label
does not: half stars, and the ratings of the warm-up, which no record asks about.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from likely.data.question import history_lines
from likely.data.records import Labels, Record
from likely.data.wording import Words, read_line
from likely.evaluation.features import item_keys, likes_of, times_of, user_keys
from likely.evaluation.user_ridge import candidate_lines
from likely.model.answers import BoolRows, FloatRows, Places


@dataclass(frozen=True)
class ToldRatings:
    """Ratings in the order of time, those of one time by user and item.

    Attributes:
        users: number of who gave each, int64 [ratings].
        items: number of what it is of, int64 [ratings].
        times: seconds since 1970, float64 [ratings]. One that no record asks about is from just before the first record
            that shows it, the latest that it can be from.
        liked: 1 for a like and 0 for none, float64 [ratings].
        stars: what was given, on the scale of the data, float64 [ratings]; nan where no history shows it.
        names: ids of the items, [items]; the line of one that no record asks about.
        lines: how records show each item, [items]; empty for one that they show in no way. Items may be shown alike.
        records: number of the record that asks about each, or else of the first that shows it, int64 [ratings].
        places: where each record's own rating stands among these, int64 [records].
    """

    users: Places
    items: Places
    times: FloatRows
    liked: FloatRows
    stars: FloatRows
    names: list[str]
    lines: list[str]
    records: Places
    places: Places


def told_ratings(records: Sequence[Record], labels: Labels, words: Words | None = None) -> ToldRatings:
    """Collect the ratings that records tell.

    Of items that are shown alike, such as two entries of one movie, each has the ratings that records ask about. A
    rating that a history alone shows does not say which of them it is of: it goes to the first by name.

    Args:
        records: of all parts, with `user_id`, `item_id` and `timestamp`, in any order.
        labels: which output is a like.
        words: in which the records speak of ratings; None for a guess.
    """
    times = times_of(records)
    assert times is not None
    users, items, liked = user_keys(records), item_keys(records), likes_of(records, labels)
    lines = candidate_lines(records)
    # Not by the order of the file, which must not matter.
    by_time = np.lexsort((np.array(items), times)).tolist()
    shown = _shown(records, by_time, words)
    taken = [place for place in by_time if not records[place].is_drawn]  # of what was not, no history shows a rating
    told = _asked_about(shown, list(zip(users, lines, strict=True)), times, liked, taken)
    only_shown = [(*pair, one) for pair, left in shown.items() for one in left]
    item_of = dict(sorted(set(zip(lines, items, strict=True)), reverse=True))
    line_of = dict(sorted(set(zip(items, lines, strict=True)), reverse=True))
    user_codes = np.unique([*users, *(user for user, _, _ in only_shown)], return_inverse=True)[1]
    names, item_codes = np.unique(
        [*items, *(item_of.get(line, line) for _, line, _ in only_shown)], return_inverse=True
    )
    others = [one for _, _, one in only_shown]
    all_times = np.r_[times, [np.nextafter(times[one.record], -np.inf) for one in others]]
    order = np.lexsort((item_codes, user_codes, all_times))
    return ToldRatings(
        users=user_codes[order],
        items=item_codes[order],
        times=all_times[order],
        liked=np.r_[liked, [one.liked for one in others]].astype(float)[order],
        stars=np.r_[told, [one.stars for one in others]].astype(float)[order],
        names=names.tolist(),
        lines=[line_of.get(name, name) for name in names.tolist()],
        records=np.r_[np.arange(len(records)), [one.record for one in others]].astype(int)[order],
        places=np.argsort(order)[: len(records)],
    )


class _Shown(NamedTuple):
    """A rating that histories show: stars, whether that is a like, and the number of the first record that shows it."""

    stars: float
    liked: bool
    record: int


_ShownBy = dict[tuple[str, str], list[_Shown]]
"""By user and line; several of one line are of items that are shown alike, or of one that was rated again."""


def _shown(records: Sequence[Record], by_time: Sequence[int], words: Words | None) -> _ShownBy:
    """Return the ratings that histories show, in the order in which they first do."""
    read: dict[str, tuple[str, float | None] | None] = {}
    shown: _ShownBy = {}
    seen: Counter[tuple[str, str, float]] = Counter()
    for place in by_time:
        record = records[place]
        user, likes = str(record.user_id), record.extra.get("history_likes")
        lines = history_lines(record.input)
        for line in lines:
            if line not in read:
                read[line] = read_line(line, words)
        told = [(known[0], known[1]) for line in lines if (known := read[line]) and known[1] is not None]
        # Likes that were counted elsewhere (`derived_histories`) are of other ratings than a history shows.
        if not isinstance(likes, int) or not len(told) == len(lines) == record.extra.get("history_length"):
            continue
        # A rating is new where a history shows more of its line and stars than any before.
        new = [
            (item, stars)
            for (item, stars), times in Counter(told).items()
            for _ in range(times - seen[user, item, stars])
        ]
        if not new:
            continue
        # A history says how many of its ratings are likes: the highest ones.
        least = min(sorted((stars for _, stars in told), reverse=True)[:likes], default=np.inf)
        for item, stars in new:
            seen[user, item, stars] += 1
            shown.setdefault((user, item), []).append(_Shown(stars, stars >= least, place))
    return shown


def _asked_about(
    shown: _ShownBy, asked: Sequence[tuple[str, str]], times: FloatRows, liked: BoolRows, taken: Sequence[int]
) -> FloatRows:
    """Take the ratings that records ask about out of those that are shown, and return their stars, float64 [records].

    They are the first of their user and line that are shown at or after the time of the record by another one, with
    the answer of the record where there is such a rating.
    """
    told = np.full(len(asked), np.nan)
    for same_answer in (True, False):
        for place in taken:
            if not np.isnan(told[place]):
                continue
            left = shown.get(asked[place], [])
            later = (one for one in left if times[one.record] >= times[place] and one.record != place)
            own = next((one for one in later if one.liked == liked[place] or not same_answer), None)
            if own is not None:
                told[place] = own.stars
                left.remove(own)
    return told
