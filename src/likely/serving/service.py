"""What the server does with a run: requests become encoded records, log-probabilities become answers.

`app` gives it bodies that are well formed. Encoding happens in a thread of its own and computing in that of the `line`,
so that the event loop always answers.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np

from likely.data.records import Record, records_of
from likely.data.wording import Words
from likely.errors import LikelyError
from likely.evaluation.answering import answers
from likely.inference.movies import Movie, candidates_of, history_of
from likely.inference.ranking import Ranker, best_first
from likely.model.answers import FloatRows
from likely.serving.bodies import (
    Cost,
    PredictAnswer,
    PredictBody,
    RankAnswer,
    RankBody,
    ScoreAnswer,
    ScoreBody,
    Usage,
)
from likely.serving.line import Answered, Line
from likely.serving.scoring_api import encode_score, scores_of
from likely.serving.served import Served

T = TypeVar("T")


MOST_CHARACTERS = 100_000_000
"""Of all questions of a request, before tokens are made of them."""


class TooMuchError(LikelyError):
    """A request asks for more than the server gives at once."""


class Service:
    """Answers requests; made in the event loop that it works in."""

    def __init__(self, served: Served) -> None:
        """Open the line to a run."""
        self.served = served
        limits = served.limits
        self.line = Line(served.compute, served.room, limits.places, limits.together)
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="encoder")

    async def rank(self, body: RankBody) -> RankAnswer:
        """Rank candidates, and ask the base model about the best of them.

        Raises:
            LikelyError: an item is wrong or too long, or the run does not know how to ask about one.
        """
        started = time.perf_counter()
        ranker = self._ranker()
        words = ranker.task.words
        history = history_of(body.history, "history", words)
        candidates = self._candidates(body, words, [rated.movie for rated in history])
        first_tokens = ranker.builder.first_tokens
        with self.line.place():
            _check_texts(ranker.records_of(history, candidates[:1]), len(candidates))
            records = await self._in_thread(lambda: ranker.records_of(history, candidates))
            encoded = await self._in_thread(lambda: ranker.builder.encode_all(records))
            said = await self.line.ask(encoded, first_tokens)
            p_yes = share_of_first(said.log_probs)
            figures = {"p_yes": p_yes}
            if (blend := self.served.blend) is not None:
                mixed = await self._in_thread(lambda: answers(blend, history, records, p_yes))
                figures |= vars(mixed)
            best = best_first(figures.get("answer", p_yes), body.top)
            asked = [encoded[place] for place in best] if body.base else []
            of_base = await self.line.ask(asked, first_tokens, adapter=False)
        base = share_of_first(of_base.log_probs).tolist() if body.base else [None] * len(best)
        ranked = []
        for rank, (place, base_p_yes) in enumerate(zip(best, base, strict=True), start=1):
            own = {name: float(values[place]) for name, values in figures.items()}
            row = {"rank": rank, **own, "base_p_yes": base_p_yes}
            ranked.append(candidates[place].beside(row, words.details))
        return RankAnswer(ranked=ranked, candidates=len(candidates), cost=cost_of([said, of_base], started))

    async def predict(self, body: PredictBody) -> PredictAnswer:
        """Return P(Yes) of records.

        Raises:
            LikelyError: there is none, or one is too long.
        """
        started = time.perf_counter()
        self._check_count("records", len(body.records))
        builder = self.served.run.builder
        rows = [record.model_dump(exclude_unset=True) for record in body.records]
        records = list(records_of(rows, Path("records"), builder.labels, answered=False))
        with self.line.place():
            encoded = await self._in_thread(lambda: builder.encode_all(records))
            said = await self.line.ask(encoded, builder.first_tokens)
            of_base = await self.line.ask(encoded if body.base else [], builder.first_tokens, adapter=False)
        return PredictAnswer(
            p_yes=share_of_first(said.log_probs).tolist(),
            base_p_yes=share_of_first(of_base.log_probs).tolist() if body.base else None,
            cost=cost_of([said, of_base], started),
        )

    async def score(self, body: ScoreBody) -> ScoreAnswer:
        """Return probabilities of tokens after a query and each item, as SGLang does.

        Raises:
            LikelyError: query and items are of different kinds, empty or too long, or a token is none.
        """
        self._check_count("items", 1 if isinstance(body.items, str) else len(body.items), least=0)
        with self.line.place():
            encoded = await self._in_thread(lambda: encode_score(body, self.served.run))
            said = await self.line.ask(encoded, body.label_token_ids)
        usage = Usage(prompt_tokens=said.tokens_alone, total_tokens=said.tokens_alone)
        return ScoreAnswer(scores=scores_of(said.log_probs, body), model=body.model, usage=usage)

    def _ranker(self) -> Ranker:
        if self.served.ranker is None:
            raise LikelyError(self.served.no_ranker)
        return self.served.ranker

    def _candidates(self, body: RankBody, words: Words, without: Sequence[Movie]) -> Sequence[Movie]:
        if body.candidates != "catalogue":
            self._check_count("candidates", len(body.candidates))
            return candidates_of(body.candidates, "candidates", words)
        if self.served.catalogue is None:
            raise LikelyError(
                "This run has no catalogue, for its records were prepared by an earlier version of likely; send a "
                "list of candidates, or copy catalogue.json from a new likely prepare into the run's folder."
            )
        movies = self.served.catalogue.most_rated(body.most_rated, without)
        self._check_count("candidates", len(movies), "; set most_rated")
        return movies

    def _check_count(self, name: str, count: int, remedy: str = "", least: int = 1) -> None:
        if count < least:
            raise LikelyError(f"There are no {name}; give at least one.")
        if count > self.served.limits.candidates:
            raise TooMuchError(
                f"{count:,} {name} are more than {self.served.limits.candidates:,}, the most of one request; send "
                f"several requests{remedy}, or start the server with a higher --max-candidates."
            )

    async def _in_thread(self, encode: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._encoder, encode)

    def close(self) -> None:
        """Let go of the thread that encodes."""
        self._encoder.shutdown(wait=False)


def share_of_first(log_probs: FloatRows) -> FloatRows:
    """Return P(Yes) from the log-probabilities of the first tokens of both labels, float64 [records]."""
    p_yes: FloatRows = 1 / (1 + np.exp(log_probs[:, 1] - log_probs[:, 0]))
    return p_yes


def cost_of(answered: Sequence[Answered], started: float) -> Cost:
    """Return what an answer took; `started` is a time of `time.perf_counter`."""
    alone, tokens = sum(one.tokens_alone for one in answered), sum(one.tokens for one in answered)
    return Cost(
        tokens_alone=alone,
        tokens=tokens,
        tokens_saved=alone - tokens,
        together=max(one.together for one in answered),
        milliseconds=round((time.perf_counter() - started) * 1000, 1),
    )


def _check_texts(one: Sequence[Record], count: int) -> None:
    """Raise a LikelyError where one of so many records is so long that all would fill the memory."""
    length = max((len(record.input) for record in one), default=0)
    if length * count > MOST_CHARACTERS:
        raise TooMuchError(
            f"the history has {length:,} characters, which {count:,} candidates would share, and the server takes "
            f"{MOST_CHARACTERS:,} in all; send fewer candidates or shorter titles."
        )
