"""The run's answer for new candidates: what the adapter says of them, and what counting knows right now, as one.

`cli.rank` and `serving` give a history and candidates, `cli.predict` records, in whose words the history is read. What
the adapter says is as it was: it is one of the parts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np

from likely.data.question import history_lines
from likely.data.records import Record
from likely.data.task import BLEND_FILE, RatingsTask
from likely.data.wording import is_like, read_line
from likely.errors import LikelyError
from likely.evaluation.blend import REMEDY, Blend, load_blend
from likely.evaluation.counting import RatedItem
from likely.evaluation.features import log_odds
from likely.inference.movies import RatedMovie
from likely.inference.predict import Mixing
from likely.inference.ranking import Ranked, best_first
from likely.model.answers import FloatRows, Matrix


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
def answers(blend: Blend, history: Sequence[RatedMovie], records: Sequence[Record], adapter: FloatRows) -> Said:
    """Return what a run says of candidates for one history.

    Args:
        blend: of the run.
        history: all that the user rated, in order.
        records: what `Ranker.records_of` asks after that history.
        adapter: its P(Yes) of each candidate, float64 [candidates].

    Raises:
        LikelyError: an answer is no number.
    """
    threshold = blend.task.protocol.like_threshold
    rated = [
        RatedItem(one.movie.shown, is_like(one.rating, threshold), one.movie.item_id, one.rating) for one in history
    ]
    return _together(blend, blend.counting.known_now(rated, records), adapter)


def rank_by_answer(blend: Blend, history: Sequence[RatedMovie], ranked: Sequence[Ranked]) -> list[Ranked]:
    """Return what the adapter has ranked in the order of the run's answer, best first."""
    said = answers(blend, history, [one.record for one in ranked], np.array([one.p_yes for one in ranked]))
    return [
        replace(ranked[place], answer=float(said.answer[place]), counting=float(said.counting[place]))
        for place in best_first(said.answer)
    ]


@UNCHECKED
def answer_records(blend: Blend, records: Sequence[Record], adapter: FloatRows) -> FloatRows:
    """Return the run's answer to records that say what the user rated before, float64 [records].

    Counting knows of a user what the record shows, and not what it knew when it was fitted. A time that a record has
    counts for nothing: like a ranking, it is asked right after the last rating that is kept. (Of 1,500 test rows of
    MovieLens latest-small that are months later, asked at their own times, AUC is the same to 0.0001.)
    Records of one history that follow each other are answered together.

    Args:
        blend: of the run.
        records: in the run's words; of one in other words, counting knows neither history nor candidate.
        adapter: its P(Yes) of each, float64 [records].

    Raises:
        LikelyError: an answer is no number.
    """
    seen = []
    for lines, of_history in groupby(records, key=lambda record: history_lines(record.input)):
        rated = [*_read_history(lines, blend.task)]
        asked = []
        for record in of_history:
            shares = record.extra.get("shares")
            counts = {"history_likes": sum(one.liked for one in rated), "history_length": len(rated)}
            asked.append(replace(record, extra={**counts, "shares": shares if isinstance(shares, dict) else {}}))
        seen.append(blend.counting.seen_now(rated, asked))
    return _together(blend, blend.counting.known_of_all(seen), adapter).answer


def mixing_of(folder: Path) -> Mixing | None:
    """Return how a run in a folder answers records; None where it keeps no blend.

    Raises:
        LikelyError: it keeps one that cannot be used.
    """
    blend = load_blend(folder)
    return Mixing(partial(answer_records, blend), blend.made_with, blend.adapter) if blend else None


def _together(blend: Blend, parts: Matrix, adapter: FloatRows) -> Said:
    said = Said(blend.together.p_yes(np.column_stack([parts, log_odds(adapter)])), blend.alone.p_yes(parts))
    if not np.isfinite([said.answer, said.counting]).all():
        raise LikelyError(f"The run's answer is no number, so {BLEND_FILE} or a table beside it is damaged; {REMEDY}.")
    return said


def _read_history(lines: Sequence[str], task: RatingsTask) -> Iterator[RatedItem]:
    """Yield what the lines of a history say that its user rated, as far as they are in the words of a task."""
    for line in lines:
        if read := read_line(line, task.words):
            shown, rating = read
            yield RatedItem(shown, is_like(rating, task.protocol.like_threshold), stars=rating)
