"""The run's answer for new candidates: what the adapter says of them, and what counting knows right now, as one.

`cli.rank` and `serving` give a history and candidates, `cli.predict` records, in whose words the history is read. What
the adapter says is as it was: it is one of the parts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from likely.data.records import Record
from likely.data.task import BLEND_FILE
from likely.data.timelines import window_start
from likely.data.wording import Words, read_rated
from likely.errors import LikelyError
from likely.evaluation.blend import REMEDY, Blend, load_blend
from likely.evaluation.counting import RatedItem
from likely.evaluation.features import log_odds
from likely.inference.movies import Movie, RatedMovie
from likely.inference.predict import Mixing
from likely.inference.ranking import Ranked, Ranker, best_first
from likely.model.answers import FloatRows

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Said:
    """What a run says of candidates, each float64 [candidates].

    Attributes:
        answer: the adapter and counting together.
        counting: counting alone.
    """

    answer: FloatRows
    counting: FloatRows


UNCHECKED = np.errstate(over="ignore", invalid="ignore")
"""Numbers of a damaged table may be none or far too large; what comes of them is refused once, at the end."""


@UNCHECKED
def answers(
    blend: Blend, ranker: Ranker, history: Sequence[RatedMovie], candidates: Sequence[Movie], adapter: FloatRows
) -> Said:
    """Return what a run says of candidates for one history.

    Args:
        blend: of the run.
        ranker: the run itself.
        history: all that the user rated, in order.
        candidates: what is asked about.
        adapter: its P(Yes) of each candidate, float64 [candidates].

    Raises:
        LikelyError: an answer is no number.
    """
    threshold, shown = blend.task.protocol.like_threshold, window_start(len(history), blend.task.protocol)
    rated = [
        RatedItem(one.movie.shown, (one.rating or 0) >= threshold, _id_of(one.movie), one.rating) for one in history
    ]
    likes = sum(one.liked for one in rated[shown:])
    told = {"history_likes": likes, "history_length": len(rated) - shown, "shares": {}}
    records = [
        replace(record, item_id=_id_of(movie), extra={**record.extra, **told})
        for record, movie in zip(ranker.records_of(history, candidates), candidates, strict=True)
    ]
    if blend.counting.hinted:
        shares = ranker.shares_of(history, candidates, shown)
        records = [
            replace(record, extra={**record.extra, "shares": one.known(blend.task.words.details)})
            for record, one in zip(records, shares, strict=True)
        ]
    return _together(blend, blend.counting.known_now(rated, records), adapter)


def rank_by_answer(
    blend: Blend, ranker: Ranker, history: Sequence[RatedMovie], ranked: Sequence[Ranked]
) -> list[Ranked]:
    """Return what the adapter has ranked in the order of the run's answer, best first."""
    candidates = [one.candidate for one in ranked]
    said = answers(blend, ranker, history, candidates, np.array([one.p_yes for one in ranked]))
    return [
        replace(ranked[place], answer=float(said.answer[place]), counting=float(said.counting[place]))
        for place in best_first(said.answer)
    ]


@UNCHECKED
def answer_records(blend: Blend, records: Sequence[Record], adapter: FloatRows) -> FloatRows:
    """Return the run's answer to records that say what the user rated before, float64 [records].

    Counting knows of a user what the record shows, and not what it knew when it was fitted.

    Args:
        blend: of the run.
        records: in the run's words; of one in other words, counting knows neither history nor candidate.
        adapter: its P(Yes) of each, float64 [records].

    Raises:
        LikelyError: an answer is no number.
    """
    words, threshold = blend.task.words, blend.task.protocol.like_threshold
    seen = []
    for record in records:
        rated = list(_history_in(record.input, words, threshold))
        told = {"history_likes": sum(one.liked for one in rated), "history_length": len(rated), "shares": {}}
        shares = record.extra.get("shares")
        told |= {"shares": shares} if isinstance(shares, dict) else {}
        seen.append(blend.counting.seen_now(rated, [replace(record, extra={**record.extra, **told})]))
    return _together(blend, blend.counting.known_of_all(seen), adapter).answer


def mixing_of(folder: Path) -> Mixing | None:
    """Return how a run in a folder answers records; None where it keeps no blend.

    Raises:
        LikelyError: it keeps one that cannot be used.
    """
    blend = load_blend(folder)
    return Mixing(partial(answer_records, blend), blend.made_with) if blend else None


def _together(blend: Blend, parts: Matrix, adapter: FloatRows) -> Said:
    said = Said(blend.together.p_yes(np.column_stack([parts, log_odds(adapter)])), blend.alone.p_yes(parts))
    if not np.isfinite([said.answer, said.counting]).all():
        raise LikelyError(f"The run's answer is no number, so {BLEND_FILE} or a table beside it is damaged; {REMEDY}.")
    return said


def _history_in(text: str, words: Words, threshold: float) -> Iterable[RatedItem]:
    """Yield what the lines of a record say that its user rated, as far as they are in these words."""
    for line in text.split("\n"):
        if line.startswith("- "):
            try:
                shown, rating = read_rated(line, words)
            except (KeyError, ValueError):  # a line in other words
                continue
            yield RatedItem(shown, (rating or 0) >= threshold, stars=rating)


def _id_of(movie: Movie) -> str | None:
    """Return the id that a row of the catalogue has; where it is of another data set, no name fits it."""
    return str(movie.extra["id"]) if "id" in movie.extra else None
