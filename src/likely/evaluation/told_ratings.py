"""All ratings that records tell: those they ask about, and those that only their histories show.

Takes records of all parts and gives `counted_columns` who rated what and when. A history tells what its user's label
does not: half stars, and the ratings of the warm-up, which no record asks about.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from likely.data.records import Labels, Record
from likely.data.wording import Words, history_lines, read_line
from likely.evaluation.features import item_keys, likes_of, times_of, user_keys
from likely.evaluation.user_ridge import candidate_lines
from likely.model.answers import FloatRows, Places


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
        lines: how records show each item, [items]; empty for one that they show in no way.
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
    # Of two items that are shown alike, the first by name stands for both.
    item_of = dict(sorted(zip(lines, items, strict=True), reverse=True))
    asked = set(zip(users, lines, strict=True))
    only_shown = [pair for pair in shown if pair not in asked]
    told = [shown.get(pair, (np.nan,))[0] for pair in zip(users, lines, strict=True)]
    user_codes = np.unique([*users, *(user for user, _ in only_shown)], return_inverse=True)[1]
    names, item_codes = np.unique([*items, *(item_of.get(line, line) for _, line in only_shown)], return_inverse=True)
    all_times = np.r_[times, [np.nextafter(times[shown[pair][2]], -np.inf) for pair in only_shown]]
    order = np.lexsort((item_codes, user_codes, all_times))
    line_of = {item: line for line, item in item_of.items()}
    return ToldRatings(
        users=user_codes[order],
        items=item_codes[order],
        times=all_times[order],
        liked=np.r_[liked, [shown[pair][1] for pair in only_shown]].astype(float)[order],
        stars=np.r_[told, [shown[pair][0] for pair in only_shown]].astype(float)[order],
        names=names.tolist(),
        lines=[line_of.get(name, name) for name in names.tolist()],
        records=np.r_[np.arange(len(records)), [shown[pair][2] for pair in only_shown]].astype(int)[order],
        places=np.argsort(order)[: len(records)],
    )


def _shown(
    records: Sequence[Record], by_time: Sequence[int], words: Words | None
) -> dict[tuple[str, str], tuple[float, bool, int]]:
    """Return stars, whether that is a like, and the number of the first record that shows it, by user and line."""
    read: dict[str, tuple[str, float | None] | None] = {}
    shown: dict[tuple[str, str], tuple[float, bool, int]] = {}
    for place in by_time:
        record = records[place]
        user, likes = str(record.user_id), record.extra.get("history_likes")
        if not isinstance(likes, int):
            continue
        lines = history_lines(record.input)
        for line in lines:
            if line not in read:
                read[line] = read_line(line, words)
        told = [(known[0], known[1]) for line in lines if (known := read[line]) and known[1] is not None]
        if len(told) < len(lines) or all((user, item) in shown for item, _ in told):
            continue
        # A history says how many of its ratings are likes: the highest ones.
        least = [np.inf, *sorted((stars for _, stars in told), reverse=True)][likes]
        for item, stars in told:
            shown.setdefault((user, item), (stars, stars >= least, place))
    return shown
