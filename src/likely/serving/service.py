"""What the server does with a run: requests become encoded records, log-probabilities become answers.

`app` gives it bodies that are well formed. Encoding happens in a thread of its own and computing in that of the `line`,
so that the event loop always answers.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from likely.data.records import Record
from likely.data.task import RatingsTask
from likely.encoding.prompt import EncodedRecord
from likely.encoding.saving import computed_tokens
from likely.errors import LikelyError
from likely.inference.loaded_run import LoadedRun, config_of
from likely.inference.movies import Movie, candidates_of, history_of
from likely.inference.ranking import Ranker, best_first, cheapest_plan, cheapest_row, ratings_task_of
from likely.model.answers import FloatRows
from likely.model.scoring import PassPlan, token_log_probs
from likely.serving.bodies import (
    Cost,
    PredictAnswer,
    PredictBody,
    PredictRecord,
    RankAnswer,
    RankBody,
    RunAnswer,
    ScoreAnswer,
    ScoreBody,
    Usage,
)
from likely.serving.catalogue import Catalogue, Row
from likely.serving.heldout import held_out_file
from likely.serving.line import Answered, Line, Portion
from likely.serving.scoring_api import encode_score, scores_of

T = TypeVar("T")


class TooMuchError(LikelyError):
    """A request asks for more than the server gives at once."""


@dataclass(frozen=True)
class Limits:
    """What the server gives at once.

    Attributes:
        places: requests that may be under way; more are sent away.
        together: the most requests of one turn; 1 computes one request after another.
        candidates: of one request, and records and items likewise.
        body_bytes: of one request.
    """

    places: int = 64
    together: int = 32
    candidates: int = 2000
    body_bytes: int = 2_000_000


@dataclass(frozen=True)
class Served:
    """A run that is served.

    Attributes:
        run: loaded in the layout `tree`.
        ranker: asks about movies; None where the run's folder does not say how.
        no_ranker: why there is none.
        catalogue: of the run, where it has one.
        named: its rows by what a prompt calls their movies.
        held_out: file of the run's test rows, where it is at hand.
        limits: of requests.
    """

    run: LoadedRun
    ranker: Ranker | None
    no_ranker: str
    catalogue: Catalogue | None
    named: dict[str, Row]
    held_out: Path | None
    limits: Limits

    @classmethod
    def load(cls, folder: Path, limits: Limits | None = None) -> "Served":
        """Load a run, its catalogue first, for that is quick to fail.

        Raises:
            LikelyError: the folder holds no run, or something cannot be loaded.
        """
        config = config_of(folder)
        catalogue = Catalogue.load(folder)
        task: RatingsTask | None = None
        reason = ""
        try:
            task = ratings_task_of(folder)
        except LikelyError as error:
            reason = str(error)
        run = LoadedRun.load(folder, config, layout="tree")
        ranker = Ranker.of(run, task) if task else None
        named = catalogue.by_name() if catalogue else {}
        held_out = held_out_file(config) if catalogue and task else None
        return cls(run, ranker, reason, catalogue, named, held_out, limits or Limits())

    def describe(self) -> RunAnswer:
        """Return what the page says of the run."""
        labels, task = self.run.builder.labels, self.ranker.task if self.ranker else None
        return RunAnswer(
            name=self.run.folder.resolve().name,
            model=Path(self.run.config.model_name_or_path).name,
            noun=task.noun if task else "movie",
            can_rank=task is not None,
            like_threshold=task.protocol.like_threshold if task else None,
            catalogue=len(self.catalogue.rows) if self.catalogue else None,
            held_out=self.held_out is not None,
            most_candidates=self.limits.candidates,
            labels=[labels.positive, labels.negative],
            label_token_ids=list(self.run.builder.first_tokens),
        )

    def compute(self, turn: Sequence[Portion]) -> None:
        """Fill the log-probabilities of a turn: all that the adapter is asked in one plan, then all of the base."""
        for adapter in (True, False):
            portions = [portion for portion in turn if portion.ask.adapter == adapter]
            if not portions:
                continue
            encoded = [portion.ask.encoded[place] for portion in portions for place in portion.places]
            tokens = sorted({token for portion in portions for token in portion.ask.tokens})
            plan = self._plan(encoded)
            with nullcontext() if adapter else self.run.model.disable_adapter():
                log_probs = token_log_probs(self.run.model, self.run.base, encoded, tokens, plan)
            costs = computed_tokens(encoded, plan.layout, plan.budget)
            start = 0
            for portion in portions:
                ask, rows = portion.ask, slice(start, start + len(portion.places))
                ask.log_probs[portion.places] = log_probs[rows][:, np.searchsorted(tokens, ask.tokens)]
                ask.computed += int(costs[rows].sum())
                start = rows.stop

    def room(self, longest: int) -> int:
        """Return how many tokens a turn should have that begins with a record of some length."""
        budget = self.run.plan.budget
        return min(cheapest_row(longest, budget.attention_share), budget.tokens)

    def _plan(self, encoded: Sequence[EncodedRecord]) -> PassPlan:
        return cheapest_plan(encoded, self.run.plan)


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
            LikelyError: a movie is wrong or too long, or the run does not know how to ask about one.
        """
        started = time.perf_counter()
        ranker = self._ranker()
        history = history_of(body.history, "history")
        candidates = self._candidates(body, [rated.movie for rated in history])
        first_tokens = ranker.builder.first_tokens
        with self.line.place():
            encoded = await self._in_thread(lambda: ranker.encode(history, candidates))
            said = await self.line.ask(encoded, first_tokens)
            p_yes = share_of_first(said.log_probs)
            best = best_first(p_yes, body.top)
            asked = [encoded[place] for place in best] if body.base else []
            of_base = await self.line.ask(asked, first_tokens, adapter=False)
        base = share_of_first(of_base.log_probs).tolist() if body.base else [None] * len(best)
        ranked = []
        for rank, (place, base_p_yes) in enumerate(zip(best, base, strict=True), start=1):
            figures = {"rank": rank, "p_yes": float(p_yes[place]), "base_p_yes": base_p_yes}
            ranked.append(row_of(candidates[place], figures))
        return RankAnswer(ranked=ranked, candidates=len(candidates), cost=cost_of([said, of_base], started))

    async def predict(self, body: PredictBody) -> PredictAnswer:
        """Return P(Yes) of records.

        Raises:
            LikelyError: there is none, or one is too long.
        """
        started = time.perf_counter()
        self._check_count("records", len(body.records))
        builder = self.served.run.builder
        records = [record_of(record, builder.labels.positive) for record in body.records]
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

    def _candidates(self, body: RankBody, without: Sequence[Movie]) -> Sequence[Movie]:
        if body.candidates != "catalogue":
            self._check_count("candidates", len(body.candidates))
            return candidates_of(body.candidates, "candidates")
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


def record_of(record: PredictRecord, label: str) -> Record:
    """Return a record that is only asked; the label is a stand-in."""
    history = tuple(record.history)
    return Record(record.instruction, record.input, label, system=record.system, history=history)


def row_of(movie: Movie, figures: Row) -> Row:
    """Return a candidate with its figures, which come first and win over other keys of the same name."""
    own = {**figures, "title": movie.title, "year": movie.year, "genres": list(movie.genres)}
    return {**own, **movie.extra, **own}


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
