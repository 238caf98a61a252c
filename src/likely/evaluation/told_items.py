"""Which items records speak of, by their texts, and what users said of them before.

Takes records as `data.timelines` writes them and gives `text_rows` what `text_features` compares. An item's text is
what stands in a candidate's line. The ratings of a user's warm-up are in no record of their own, but in the history of
the first one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from likely.data.question import history_lines, read_candidate
from likely.data.records import Labels, Record
from likely.data.task import RatingsTask
from likely.data.wording import is_like, read_line
from likely.evaluation.features import likes_of, times_of, user_keys
from likely.evaluation.text_features import Moments
from likely.model.answers import BoolRows


@dataclass(frozen=True)
class ToldItems:
    """Items and opinions of records.

    Attributes:
        texts: of all items, ascending; their places are the numbers of items.
        asked: user, item and time of each record.
        told: the same of each opinion: those of the records, and before them those of warm-ups.
        liked: whether each opinion is a like, bool [opinions].
    """

    texts: list[str]
    asked: Moments
    told: Moments
    liked: BoolRows


def candidate_texts(records: Sequence[Record]) -> list[str] | None:
    """Return the text of each record's candidate; None where a record names none in the words of `likely prepare`."""
    texts = [read_candidate(record.input).strip() for record in records]
    return texts if all(texts) else None


def told_items(records: Sequence[Record], texts: Sequence[str], labels: Labels, task: RatingsTask | None) -> ToldItems:
    """Return what records tell of items.

    Args:
        records: of all parts, with `user_id` and `timestamp`.
        texts: of their candidates.
        labels: which output is a like.
        task: says in which words histories are told and from where on a rating is a like; without it, no warm-up is
            read.
    """
    times = times_of(records)
    assert times is not None
    names, users = np.unique(user_keys(records), return_inverse=True)
    order = np.lexsort((np.arange(len(records)), times, users))
    firsts = order[np.searchsorted(users[order], np.arange(len(names)))]
    lines = [
        (user, place, *told)
        for user, first in enumerate(firsts.tolist())
        for place, told in enumerate(_history_of(records[first], task))
    ]
    everything = sorted({*texts, *(text for _, _, text, _ in lines)})
    numbers = {text: number for number, text in enumerate(everything)}
    asked = Moments(users, np.array([numbers[text] for text in texts], np.int64), times)
    # All before a user's first record; among themselves in the order of their lines.
    before = float(times.min()) - len(lines) - 1
    told = Moments(
        np.r_[np.array([user for user, *_ in lines], np.int64), asked.users],
        np.r_[np.array([numbers[text] for _, _, text, _ in lines], np.int64), asked.items],
        np.r_[np.array([before + place for _, place, *_ in lines]), asked.times],
    )
    liked = np.r_[np.array([like for *_, like in lines], bool), likes_of(records, labels)]
    return ToldItems(everything, asked, told, liked)


def _history_of(record: Record, task: RatingsTask | None) -> list[tuple[str, bool]]:
    """Return text and like of each line of a record's history that is in the words of a task."""
    if task is None:
        return []
    read = filter(None, (read_line(line, task.words) for line in history_lines(record.input)))
    threshold = task.protocol.like_threshold
    return [(text.strip(), is_like(rating, threshold)) for text, rating in read if text.strip()]
