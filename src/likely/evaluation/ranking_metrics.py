"""Does a user's next like come out on top? NDCG, hit rate and recall at 10, ranking it among items nobody asked about.

Takes the records of all parts, asks baselines and, where there is one, the adapter about each user's candidates at the
moment of its first row, and gives `run` a table. All candidates of a user have the same history, which a tree computes
once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from likely.data.question import history_lines, read_candidate, read_question
from likely.data.records import Labels, Record
from likely.data.wording import Words, read_line
from likely.evaluation.contest import DRAWS, Estimate, Ranking, RankingResult
from likely.evaluation.features import item_keys, likes_of, times_of, user_keys
from likely.evaluation.given import Given
from likely.evaluation.like_counts import count_likes, known_of, like_rates
from likely.evaluation.matrix_factorisation import matrix_factorisation
from likely.evaluation.ranking_hints import Hints
from likely.evaluation.resampling import draw_users, interval
from likely.model.answers import BoolRows, FloatRows, Places

TOP = 10
SAMPLED = 1000
"""Other items among which a user's likes are ranked at most; where there are more, so many are drawn."""

Ask = Callable[[Sequence[Record]], FloatRows]
"""Gives P(Yes) of records, float64 [records]."""


@dataclass(frozen=True)
class Request:
    """What one user is asked about, all at the moment of its first row.

    Attributes:
        first: that row.
        items: the candidates in an order drawn at random, which decides ties.
        liked: whether each is one that the user likes in its rows, bool [items].
        among: how many other items there were to draw from.
    """

    first: Record
    items: Sequence[str]
    liked: BoolRows
    among: int


def rank_items(
    given: Given, users: int, ask: Ask | None = None, seed: int = 0, drawn: bool = False
) -> tuple[Ranking | None, list[str]]:
    """Rank what users like in their rows among items that they had not rated before.

    Args:
        given: records to fit on and to answer.
        users: how many of those with a like, at random.
        ask: what the adapter says of records; None without one.
        seed: of the users, and of the items drawn for each.
        drawn: whether dislikes were drawn from items that their users had not taken (`data.negatives`): these compete,
            and are no sign of popularity.

    Returns:
        The table, None where users, items or likes are unknown, and what a reader should know, a sentence each.
    """
    train, labels = given.train, given.labels
    everything = [*train, *given.earlier, *given.rows]
    if not train or any(record.item_id is None or record.user_id is None for record in everything):
        return None, ["Nothing is ranked among all items: that takes training rows, and users and items of all rows."]
    requests = requests_of([*train, *given.earlier], given.rows, labels, users, seed, given.words)
    if not requests:
        return None, ["Nothing is ranked among all items: no user has a like among the rows."]
    answers = _counted(given.counted, requests, labels, drawn)
    asked = [
        Record("", "", labels.positive, user_id=one.first.user_id, item_id=item)
        for one in requests
        for item in one.items
    ]
    answers["matrix factorisation"] = matrix_factorisation(given.factors, train, asked, labels)
    notes = []
    if ask is not None:
        hints = Hints(everything, len(train), labels, given.words, given.short_hints) if given.words else None
        records = candidate_records(everything, requests, hints)
        if records is None:
            notes.append(
                "The adapter is not ranked among all items: its records do not end in a candidate's name, or in a "
                "hint of likely prepare."
            )
        else:
            answers["with the adapter"] = ask(records)
            if (question := read_question(records[0].input)) and question.after:
                notes.append("Among all items, hints say nothing of similar ones, as those of likely rank.")
    results = [_result(name, p_yes, requests, seed) for name, p_yes in answers.items()]
    among = max(one.among for one in requests)
    return Ranking(len(requests), min(among, SAMPLED), among > SAMPLED, results), notes


def requests_of(
    before: Sequence[Record],
    rows: Sequence[Record],
    labels: Labels,
    users: int,
    seed: int = 0,
    words: Words | None = None,
) -> list[Request]:
    """Choose users with a like among the rows, and for each the items that compete with it.

    They are all items of any record, or `SAMPLED` drawn from them, without those that the user is known to have rated
    before: its records of other parts, but for drawn ones, and what their histories show, in these words
    or in any that end in a rating.
    """
    items = np.unique(item_keys([*before, *rows]))
    likes: dict[str, list[Record]] = {}
    for row, liked in zip(rows, likes_of(rows, labels).tolist(), strict=True):
        if liked:
            likes.setdefault(str(row.user_id), []).append(row)
    random = np.random.default_rng(seed)
    chosen = set(random.permutation(sorted(likes))[:users].tolist())
    first: dict[str, Record] = {}
    for row in _in_time(rows):
        first.setdefault(str(row.user_id), row)
    rated = [one for one in before if not one.is_drawn]
    asked = [first[user] for user in sorted(chosen)]
    shown = _rated_items(rated, [*before, *asked], asked, _lines_of([*before, *rows]), words)
    requests = []
    for user in sorted(chosen):
        liked = sorted({str(row.item_id) for row in likes[user]})
        others = np.setdiff1d(items, [*liked, *shown[user]])
        sampled = random.choice(others, SAMPLED, replace=False) if len(others) > SAMPLED else others
        candidates = random.permutation([*liked, *sampled.tolist()]).tolist()
        is_liked = np.isin(candidates, liked)
        requests.append(Request(first[user], candidates, is_liked, len(others)))
    return requests


def _in_time(rows: Sequence[Record]) -> list[Record]:
    times = times_of(rows)
    return list(rows) if times is None else [rows[place] for place in np.argsort(times, kind="stable").tolist()]


def _shown_as(line: str, words: Words | None) -> Sequence[str]:
    """Return how a candidate may look that a line of a history is about, whether or not it tells a rating."""
    if words is not None:
        read = read_line(line, words)
        return [read[0]] if read else []
    shown = line.removeprefix("- ")
    return [shown, shown.rpartition(" | ")[0]]


def _rated_items(
    rated_in: Sequence[Record],
    told_in: Sequence[Record],
    first: Sequence[Record],
    lines: Mapping[str, str],
    words: Words | None,
) -> Mapping[str, set[str]]:
    """Return what users are known to have rated by their first rows: items of some records, and of some histories.

    Of items that are shown alike, all are.
    """
    named: dict[str, set[str]] = {}
    for item, line in lines.items():
        named.setdefault(line, set()).add(item)
    rated: dict[str, set[str]] = {str(row.user_id): set() for row in first}
    for record in told_in:
        if record.user_id in rated:
            for line in history_lines(record.input):
                for shown in _shown_as(line, words):
                    rated[record.user_id].update(named.get(shown, ()))
    for record in rated_in:
        if record.user_id in rated:
            rated[record.user_id].add(str(record.item_id))
    return rated


def _lines_of(records: Sequence[Record]) -> dict[str, str]:
    """Return how each item is named as a candidate, as far as records do so."""
    lines = {str(record.item_id): read_candidate(record.input) for record in records}
    return {item: line for item, line in lines.items() if line}


def candidate_records(
    records: Sequence[Record], requests: Sequence[Request], hints: Hints | None = None
) -> list[Record] | None:
    """Return each user's first row with every candidate in turn; None where its end says what nobody can tell.

    Args:
        records: of all parts.
        requests: who is asked about which items.
        hints: tells those of the candidates, where rows end in one.
    """
    lines, asked = _lines_of(records), []
    hinted = hints is not None and hints.can_be_said([one.first for one in requests])
    for one in requests:
        question = read_question(one.first.input)
        if question is None or question.after.count("\n") != hinted or any(item not in lines for item in one.items):
            return None
        shown, ends = [lines[item] for item in one.items], [""] * len(one.items)
        if hinted and hints:
            ends = [f"\n{hint}" for hint in hints.of_candidates(one.first, one.items, shown)]
        asked += [
            replace(one.first, input=replace(question, candidate=line, after=end).text, item_id=item)
            for item, line, end in zip(one.items, shown, ends, strict=True)
        ]
    return asked


def _counted(
    records: Sequence[Record], requests: Sequence[Request], labels: Labels, drawn: bool = False
) -> dict[str, FloatRows]:
    """Return what counting says of each candidate: how many records it has from before, and what share were likes.

    Where dislikes were drawn, likes alone are counted for the former.
    """
    times, moments = times_of(records), times_of([one.first for one in requests])
    sizes = [len(one.items) for one in requests]
    asked_at = None if moments is None else np.repeat(moments, sizes)
    items = known_of(
        count_likes(item_keys(records), likes_of(records, labels), times),
        [item for one in requests for item in one.items],
        asked_at,
    )
    return {"popularity": items.likes if drawn else items.ratings, "item like-rate": like_rates(items)}


def _result(name: str, scores: FloatRows, requests: Sequence[Request], seed: int) -> RankingResult:
    of_requests = np.split(scores, np.cumsum([len(one.items) for one in requests])[:-1])
    of_users = np.array([top_metrics(one.liked, some) for one, some in zip(requests, of_requests, strict=True)])
    drawn = draw_users(user_keys([one.first for one in requests]), DRAWS, seed)
    resampled = drawn.sums(of_users) / len(requests)
    several = len(requests) > 1
    metrics = {
        metric: Estimate(float(of_users[:, place].mean()), *(interval(resampled[:, place]) if several else ()))
        for place, metric in enumerate(("ndcg", "hit_rate", "recall"))
    }
    return RankingResult(name, metrics)


def top_metrics(liked: BoolRows, scores: FloatRows) -> tuple[float, float, float]:
    """Return NDCG, hit rate and recall of the ten candidates with the highest scores.

    NDCG is that of Järvelin and Kekäläinen (2002) with a gain of 1 for a like. Equal scores keep their order.

    Args:
        liked: bool [candidates], with at least one like.
        scores: float64 [candidates].
    """
    best: Places = np.argsort(-scores, kind="stable")[:TOP]
    hits, discounts = liked[best], 1 / np.log2(np.arange(2, TOP + 2))
    ideal = discounts[: int(liked.sum())].sum()
    return float(hits @ discounts[: len(hits)] / ideal), float(hits.any()), float(hits.sum() / liked.sum())
