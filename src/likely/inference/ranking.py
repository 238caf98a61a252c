"""Ranks candidate movies for one history by P(Yes), and computes the history once for many of them.

Takes movies (`movie_files`) and the adapter of a finished run, asks the question of `timelines` about
every candidate in the very words of training, and gives the candidates to a caller, a table or a file.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from likely.cli.progress import progress_bar
from likely.data.liked_shares import Shares, opinion_of_others, share_of_all, share_of_genres
from likely.data.protocol import SplitProtocol
from likely.data.records import Record
from likely.data.run_data import labels_of
from likely.data.wording import hint, make_instruction, show_movie, show_question, show_rated
from likely.encoding.batches import Budget
from likely.encoding.prompt import PromptBuilder
from likely.errors import LikelyError
from likely.files import replacing
from likely.inference.loaded_run import config_of, load_adapted
from likely.inference.movies import Movie, RatedMovie
from likely.model.adapter import base_model, check_adapter_base
from likely.model.attention import FLASH_ATTENTIONS
from likely.model.base import attention_share, check_model_folder, load_tokenizer
from likely.model.scoring import PassPlan, Progress, score
from likely.sources.catalogue import resolve_model

if TYPE_CHECKING:
    from peft import PeftModel


@dataclass(frozen=True)
class Ranked:
    """A candidate and how likely it is to be liked, from 0 to 1."""

    candidate: Movie
    p_yes: float


@dataclass(frozen=True)
class Ranker:
    """A finished run, loaded to rank movies.

        ranker = Ranker.load("output/demo")
        history = [RatedMovie(Movie("Heat", 1995, ["Action", "Crime"]), 4.5)]
        best = ranker.rank(history, [Movie("Ronin", 1998), Movie("Babe", 1995)], top=1)

    Attributes:
        model: base model and adapter.
        builder: renders records as the run did.
        instruction: what is asked of every candidate.
        like_threshold: stars that make a like.
        hints: whether the run's records end with a hint (:mod:`likely.data.hints`).
        budget: what one forward pass may cost by the run's configuration.
    """

    model: "PeftModel"
    builder: PromptBuilder
    instruction: str
    like_threshold: float
    hints: bool
    budget: Budget

    @classmethod
    def load(cls, adapter_dir: Path | str, like_threshold: float = 4.0, hints: bool = False) -> "Ranker":
        """Load the adapter of a finished run on its base model.

        Args:
            adapter_dir: output folder of the run, with its config.yaml.
            like_threshold: the rating that its records call a like, in stars.
            hints: whether its records were prepared with hints, as those of the demo are.

        Raises:
            LikelyError: the threshold is off the scale, or something is missing or cannot be loaded.
        """
        protocol = SplitProtocol(like_threshold=like_threshold, hints=hints)
        folder = Path(adapter_dir)
        config = config_of(folder, None)
        forced_flash = config.flash_attn in FLASH_ATTENTIONS  # which has no tree masks
        config = config.model_copy(
            update={"batching": "tree", "flash_attn": "auto" if forced_flash else config.flash_attn}
        )
        model_path = resolve_model(config.model_name_or_path).location
        check_adapter_base(folder, model_path)
        check_model_folder(model_path)
        builder = PromptBuilder(load_tokenizer(model_path, config.model_revision), labels_of(config), config.cutoff_len)
        model = load_adapted(config, model_path, folder)
        budget = Budget(config.per_device_eval_batch_size * config.cutoff_len, attention_share(base_model(model)))
        return cls(model, builder, make_instruction(like_threshold), protocol.like_threshold, hints, budget)

    def rank(
        self,
        history: Sequence[RatedMovie],
        candidates: Sequence[Movie],
        top: int | None = None,
        on_progress: Progress | None = None,
    ) -> list[Ranked]:
        """Return candidates with their P(Yes), best first; equal ones keep their order.

        A history too long for the run's `cutoff_len` loses its oldest movies, as in training.

        Args:
            history: rated movies in the order in which they were rated.
            candidates: what to rank.
            top: return the best so many; None for all.
            on_progress: told after every forward pass.

        Raises:
            LikelyError: there is no history or no candidate, `top` is below 1, or a candidate does
                not fit into `cutoff_len` even without a history.
        """
        if not history:
            raise LikelyError("The history is empty; give at least one rated movie.")
        if not candidates:
            raise LikelyError("There are no candidates; give at least one movie.")
        if top is not None and top < 1:
            raise LikelyError(f"top is {top}; set it to 1 or more, or to None for all candidates.")
        encoded = self.builder.encode_all(self.records_of(history, candidates))
        longest = max(len(record.input_ids) for record in encoded)
        row = cheapest_row(longest, self.budget.attention_share)
        budget = replace(self.budget, tokens=min(row, self.budget.tokens))
        plan = PassPlan("tree", budget, (self.builder.positive_ids[0], self.builder.negative_ids[0]))
        p_yes = score(self.model, base_model(self.model), encoded, plan, on_progress).p_yes
        best_first = np.argsort(-p_yes, kind="stable")[:top]
        return [Ranked(candidates[place], float(p_yes[place])) for place in best_first.tolist()]

    def records_of(self, history: Sequence[RatedMovie], candidates: Sequence[Movie]) -> list[Record]:
        """Return the record of every candidate as `timelines` would write it; the answer is a stand-in."""
        lines = [show_rated(_shown(rated.movie), rated.rating) for rated in history]
        hints = self._hints_for(history, candidates) if self.hints else [""] * len(candidates)
        questions = [show_question(lines, _shown(movie), said) for movie, said in zip(candidates, hints, strict=True)]
        return [Record(self.instruction, question, self.builder.labels.positive) for question in questions]

    def _hints_for(self, history: Sequence[RatedMovie], candidates: Sequence[Movie]) -> list[str]:
        """Return the hint of every candidate; the history is all that is known of the user."""
        liked = np.array([rated.rating >= self.like_threshold for rated in history], dtype=np.float32)
        of_all = float(share_of_all(liked.sum(), len(liked)))
        genres = [rated.movie.genres for rated in history]
        of_genres = share_of_genres(liked, genres, [movie.genres for movie in candidates])
        hints: list[str] = []
        for movie, of_these in zip(candidates, of_genres.tolist(), strict=True):
            similar = math.nan if movie.liked_of_similar is None else movie.liked_of_similar
            others = opinion_of_others(movie.earlier_likes, movie.earlier_ratings)
            hints.append(hint(Shares(of_all, float(liked.mean()), of_these, similar, others)))
        return hints


def cheapest_row(history: int, attention_share: float) -> int:
    """Return how many tokens a row should have that begins with a history and goes on with candidates.

    A row of w tokens costs w (1 + s w), where s is `batching`'s attention share, and w - h of its
    tokens are candidates. Short rows compute the history of h tokens too often and long ones mask
    most of their attention; the cost per candidate, w (1 + s w) / (w - h), is least where its
    derivative is 0, at w = h + sqrt(h^2 + h / s).
    """
    return history + round(math.sqrt(history**2 + history / attention_share))


def run_ranking(
    console: Console,
    adapter_dir: Path,
    history: Sequence[RatedMovie],
    candidates: Sequence[Movie],
    like_threshold: float,
    hints: bool,
) -> list[Ranked]:
    """Load a run and rank all candidates, with a bar."""
    ranker = Ranker.load(adapter_dir, like_threshold, hints)
    with progress_bar(console) as bar:
        task = bar.add_task("scoring candidates", total=len(candidates), figures="")
        return ranker.rank(history, candidates, on_progress=lambda done, _: bar.update(task, completed=done))


def ranking_table(ranked: Sequence[Ranked], title: str) -> Table:
    """Return a table of ranked movies, best first."""
    table = Table(title=title, title_justify="left", header_style="bold")
    table.add_column("rank", justify="right")
    table.add_column("movie")
    table.add_column("P(Yes)", justify="right")
    for rank, one in enumerate(ranked, start=1):
        table.add_row(str(rank), escape(_shown(one.candidate)), f"{one.p_yes:.3f}")
    return table


def write_ranking(path: Path, ranked: Sequence[Ranked]) -> None:
    """Write one JSON object a movie, best first: rank, p_yes, the movie, and what else came with it."""
    with replacing(path) as out:
        for rank, one in enumerate(ranked, start=1):
            movie = one.candidate
            own = {
                "rank": rank,
                "p_yes": one.p_yes,
                "title": movie.title,
                "year": movie.year,
                "genres": list(movie.genres),
            }
            line = {**own, **movie.extra, **own}  # own keys come first and win
            out.write(json.dumps(line, ensure_ascii=False) + "\n")


def _shown(movie: Movie) -> str:
    return show_movie(movie.title, movie.year, list(movie.genres))
