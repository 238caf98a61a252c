"""Ranks candidates, such as movies, for one history by P(Yes), and computes the history once for many of them.

Takes movies (`movies`) and a finished run, asks about every candidate in the very words of the run's records, as its
folder says them (`data.task`), and gives the candidates to a caller, best first.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from likely.data.liked_shares import share_of_all, share_of_genres
from likely.data.opinions import opinion_of_others
from likely.data.question import show_question
from likely.data.records import CUT_AT_ANCHORS, Record
from likely.data.shares import Shares
from likely.data.task import RatingsTask, read_task
from likely.data.timelines import window_start
from likely.data.wording import hint, is_like, show_rated
from likely.encoding.prompt import EncodedRecord, PromptBuilder
from likely.errors import LikelyError
from likely.inference.kept_answers import KeptAnswers
from likely.inference.loaded_run import LoadedRun, config_of
from likely.inference.movies import Movie, RatedMovie
from likely.model.answers import FloatRows
from likely.model.scoring import PassPlan, Progress


@dataclass(frozen=True)
class Ranked:
    """A candidate and how likely it is to be liked, from 0 to 1.

    Attributes:
        candidate: who.
        p_yes: what the adapter says.
        record: the question about the candidate, as the run's records ask it.
        answer: what the adapter and counting say together; None for a run without such an answer.
        counting: what counting says alone; None likewise.
    """

    candidate: Movie
    p_yes: float
    record: Record
    answer: float | None = None
    counting: float | None = None


@dataclass(frozen=True)
class Ranker:
    """A finished run, loaded to rank movies or whatever else it was trained on.

        ranker = Ranker.load("output/demo")
        history = [RatedMovie(Movie("Heat", 1995, ["Action", "Crime"]), 4.5)]
        best = ranker.rank(history, [Movie("Ronin", 1998), Movie("Babe", 1995)], top=1)

    Attributes:
        run: loaded in the layout `tree`, or `padded` for a model that is exact in no other.
        task: what the run's records ask, and how much of a history they show.
    """

    run: LoadedRun
    task: RatingsTask

    @classmethod
    def load(cls, folder: Path | str) -> "Ranker":
        """Load the adapter of a finished run on its base model.

        Args:
            folder: output folder of the run.

        Raises:
            LikelyError: the run was trained on records of a user's own, its folder does not say what they ask, or
                something is missing or cannot be loaded.
        """
        folder = Path(folder)
        config = config_of(folder)
        task = ratings_task_of(folder)
        return cls(LoadedRun.load(folder, config, layout="tree"), task)

    @property
    def builder(self) -> PromptBuilder:
        """Renders records as the run did."""
        return self.run.builder

    def rank(
        self,
        history: Sequence[RatedMovie],
        candidates: Sequence[Movie],
        top: int | None = None,
        on_progress: Progress | None = None,
        kept: KeptAnswers | None = None,
    ) -> list[Ranked]:
        """Return candidates with their P(Yes), best first; equal ones keep their order.

        Of a long history a prompt shows the window that training showed, and less where the run's `cutoff_len` is
        too short for that. The first ranking, and one with longer prompts than any before, checks that candidates get
        the answers together that they get alone (`self_check`). A model that is exact in padded rows only
        scores them so, slowly, and the run's notes say it.

        Args:
            history: rated movies in the order in which they were rated; the longer, the more a hint has to go by.
            candidates: what to rank.
            top: return the best so many; None for all.
            on_progress: told after every forward pass.
            kept: scores of an earlier command that are taken up, and where these are kept.

        Raises:
            LikelyError: there is no history or no candidate, a rating is outside of the run's scale, `top` is below 1,
                a candidate does not fit into `cutoff_len` even without a history, or the model is exact in no layout.
        """
        if top is not None and top < 1:
            raise LikelyError(f"top is {top}; set it to 1 or more, or to None for all candidates.")
        records = self.records_of(history, candidates)
        encoded = self.builder.encode_all(records)
        plan = cheapest_plan(encoded, self.run.exact_plan(encoded))
        p_yes = self.run.answers(encoded, on_progress=on_progress, kept=kept, plan=plan).p_yes
        return [Ranked(candidates[place], float(p_yes[place]), records[place]) for place in best_first(p_yes, top)]

    def records_of(self, history: Sequence[RatedMovie], candidates: Sequence[Movie]) -> list[Record]:
        """Return the record that `timelines` would write for every candidate after a timeline that is the history.

        It shows the end of the history that the run's window shows, and has the shares that its hint tells. The answer
        is a stand-in.

        Raises:
            LikelyError: there is no history or no candidate, or a rating is outside of the run's scale.
        """
        if not history:
            raise LikelyError("The history is empty; give at least one rating.")
        if not candidates:
            raise LikelyError("There are no candidates; give at least one.")
        for rated in history:
            rated.check(self.task.words)
        protocol, words = self.task.protocol, self.task.words
        shown = window_start(len(history), protocol)
        lines = [show_rated(rated.movie.shown, rated.rating, words) for rated in history[shown:]]
        likes = [is_like(rated.rating, protocol.like_threshold) for rated in history]
        extra: dict[str, Any] = {"history_likes": sum(likes[shown:]), "history_length": len(lines)}
        extra |= {CUT_AT_ANCHORS: True} if protocol.is_long else {}
        hints, told = [""] * len(candidates), [extra] * len(candidates)
        if protocol.hints:
            shares = self._shares(history, candidates, likes, shown)
            hints = [hint(one, words, protocol.short_hints) for one in shares]
            told = [{**extra, "shares": one.known(words.details)} for one in shares]
        instruction, answer = self.task.instruction, self.builder.labels.positive
        inputs = [
            show_question(lines, movie.shown, said, protocol.candidate_line)
            for movie, said in zip(candidates, hints, strict=True)
        ]
        return [
            Record(instruction, text, answer, item_id=movie.item_id, extra=known)
            for movie, text, known in zip(candidates, inputs, told, strict=True)
        ]

    def _shares(
        self, history: Sequence[RatedMovie], candidates: Sequence[Movie], likes: Sequence[bool], shown: int
    ) -> list[Shares]:
        """Return what a hint says of each candidate; the history, shown from a place on, is all we know of the user."""
        above = sum(likes[shown:]) / len(likes[shown:])
        liked = np.array(likes, dtype=np.float32)
        of_all = float(share_of_all(liked.sum(), len(liked)))
        genres = [rated.movie.genres for rated in history]
        of_genres = share_of_genres(liked, genres, [movie.genres for movie in candidates])
        shares: list[Shares] = []
        for movie, of_these in zip(candidates, of_genres.tolist(), strict=True):
            similar = math.nan if movie.liked_of_similar is None else movie.liked_of_similar
            others = opinion_of_others(movie.earlier_likes, movie.earlier_ratings)
            shares.append(Shares(of_all, above, of_these, similar, others))
        return shares


def ratings_task_of(folder: Path) -> RatingsTask:
    """Return how the records of a run ask about a movie.

    Raises:
        LikelyError: its folder does not say, or they are records of a user's own.
    """
    task = read_task(folder)
    if not isinstance(task, RatingsTask):
        raise LikelyError(
            f"The run in {folder} was trained on records that likely prepare did not write or that were changed "
            "since, so how they ask about a candidate is unknown; rank with a run trained on prepared records, or give "
            "questions of your own to likely predict."
        )
    return task


def best_first(p_yes: FloatRows, top: int | None = None) -> list[int]:
    """Return the places of candidates by P(Yes), the highest first, at most `top`; equal ones keep their order."""
    places: list[int] = np.argsort(-p_yes, kind="stable")[:top].tolist()
    return places


def cheapest_plan(encoded: Sequence[EncodedRecord], plan: PassPlan) -> PassPlan:
    """Return a plan whose forward passes are as long as is cheapest for candidates of such histories, and no longer.

    Args:
        encoded: the records to plan for; the longest one stands for a history.
        plan: what one forward pass may cost at most.
    """
    longest = max(len(record.input_ids) for record in encoded)
    tokens = min(cheapest_row(longest, plan.budget.attention_share), plan.budget.tokens)
    return replace(plan, budget=replace(plan.budget, tokens=tokens))


def cheapest_row(history: int, attention_share: float) -> int:
    """Return how many tokens a row should have that begins with a history and goes on with candidates.

    A row of w tokens costs w (1 + s w), where s is `batching`'s attention share, and w - h of its
    tokens are candidates. Short rows compute the history of h tokens too often and long ones mask
    most of their attention; the cost per candidate, w (1 + s w) / (w - h), is least where its
    derivative is 0, at w = h + sqrt(h^2 + h / s). Where s is 0, the longer the better.
    """
    if attention_share == 0:
        return sys.maxsize
    return history + round(math.sqrt(history**2 + history / attention_share))
