"""A run as it is served: loaded once, with its catalogue and limits, and what it computes in a turn of the `line`."""

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from likely.config.run_config import RunConfig
from likely.data.task import RatingsTask
from likely.data.wording import MOVIES, Words, asks_what_is_next
from likely.encoding.prefix_tree import chain_lengths
from likely.encoding.prompt import EncodedRecord
from likely.encoding.saving import computed_tokens
from likely.errors import LikelyError
from likely.evaluation.asked import changed_since
from likely.evaluation.blend import Blend, load_blend
from likely.inference.loaded_run import LoadedRun, config_of
from likely.inference.ranking import Ranker, cheapest_plan, cheapest_row, ratings_task_of
from likely.inference.trained_on import check_adapter
from likely.model.kept_history import Histories, history_of
from likely.model.scoring import PassPlan, token_log_probs
from likely.serving.bodies import RunAnswer
from likely.serving.catalogue import Catalogue
from likely.serving.heldout import HeldOutFile
from likely.serving.line import Portion

LOGGER = "uvicorn.error"
"""Where uvicorn says what is not about a request."""


MOST_PROBABILITIES = 10_000_000
"""Records of a turn times the tokens that are asked of each of them, beyond which its requests are computed apart."""


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
        run: loaded in the layout `tree`, or `padded` for a model that is exact in no other.
        ranker: asks about items; None where the run's folder does not say how.
        no_ranker: why there is none.
        catalogue: of the run, where it has one.
        held_out: the run's test rows, where they are at hand.
        limits: of requests.
        blend: what the run's answer is made of; None where it keeps none.
        histories: of requests that take several turns.
    """

    run: LoadedRun
    ranker: Ranker | None
    no_ranker: str
    catalogue: Catalogue | None
    held_out: HeldOutFile | None
    limits: Limits
    blend: Blend | None = None
    histories: Histories = field(default_factory=Histories)

    @classmethod
    def load(cls, folder: Path, limits: Limits | None = None) -> "Served":
        """Load a run, its catalogue first, for that is quick to fail.

        Raises:
            LikelyError: the folder holds no run, or something cannot be loaded.
        """
        config = config_of(folder)
        task: RatingsTask | None = None
        reason = ""
        try:
            task = ratings_task_of(folder)
        except LikelyError as error:
            reason = str(error)
        catalogue = Catalogue.load(folder, task.words if task else MOVIES)
        blend = load_blend(folder) if task else None
        run = LoadedRun.load(folder, config, layout="tree")
        if blend:
            check_adapter(folder, blend.adapter, run.adapter)
        ranker = Ranker(run, task) if task else None
        held_out = held_out_of(folder, config, task.words, catalogue) if catalogue and task else None
        return cls(run, ranker, reason, catalogue, held_out, limits or Limits(), blend)

    def describe(self) -> RunAnswer:
        """Return what the page says of the run."""
        labels, task = self.run.builder.labels, self.ranker.task if self.ranker else None
        words = task.words if task else MOVIES
        return RunAnswer(
            name=self.run.folder.resolve().name,
            model=Path(self.run.config.model_name_or_path).name,
            noun=words.noun,
            plural=words.plural,
            details=words.details,
            shows=words.shows,
            verb=words.verb,
            unit=words.unit,
            next=task is not None and asks_what_is_next(task.protocol.like_threshold, words),
            scale=(words.lowest, words.highest),
            can_rank=task is not None,
            like_threshold=task.protocol.like_threshold if task else None,
            catalogue=len(self.catalogue.rows) if self.catalogue else None,
            held_out=self.held_out is not None and self.held_out.has_lines,
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
            plan = self._exact_plan(encoded_of(portions))
            alone = [one for one in portions if plan.keeps_history and one.is_part and len(history_of(one.ask.encoded))]
            with nullcontext() if adapter else self.run.model.disable_adapter():
                for portion in alone:
                    self._compute_after_history(portion, plan)
                if len(alone) < len(portions):
                    self._compute_together([portion for portion in portions if portion not in alone], plan)

    def _compute_together(self, portions: Sequence[Portion], plan: PassPlan) -> None:
        """Compute portions in common rows; in several turns where they want too many probabilities for one."""
        encoded = encoded_of(portions)
        tokens = sorted({token for portion in portions for token in portion.ask.tokens})
        if len(encoded) * len(tokens) > MOST_PROBABILITIES and len(portions) > 1:
            middle = len(portions) // 2
            self._compute_together(portions[:middle], plan)
            self._compute_together(portions[middle:], plan)
            return
        plan = cheapest_plan(encoded, plan)
        log_probs = token_log_probs(self.run.model, self.run.base, encoded, tokens, plan)
        costs = computed_tokens(encoded, plan.layout, plan.budget)
        start = 0
        for portion in portions:
            ask, rows = portion.ask, slice(start, start + len(portion.places))
            ask.log_probs[portion.places] = log_probs[rows][:, np.searchsorted(tokens, ask.tokens)]
            ask.computed += int(costs[rows].sum())
            start = rows.stop

    def _compute_after_history(self, portion: Portion, plan: PassPlan) -> None:
        """Compute a portion of a request of several turns, its history in the first of them alone."""
        ask, encoded = portion.ask, encoded_of([portion])
        history = self.histories.of(history_of(ask.encoded), ask.adapter)
        known = len(history.tokens) if history.is_computed else 0
        ask.log_probs[portion.places] = token_log_probs(
            self.run.model, self.run.base, encoded, ask.tokens, plan, history
        )
        ask.computed += int(chain_lengths([record.input_ids for record in encoded])[1].sum()) - known

    def _exact_plan(self, encoded: Sequence[EncodedRecord]) -> PassPlan:
        """Return how records are computed, and log it when it is found that their model shares no rows."""
        noted = len(self.run.notes)
        plan = self.run.exact_plan(encoded, times=2)
        for note in self.run.notes[noted:]:
            logging.getLogger(LOGGER).warning(note)
        return plan

    def room(self, longest: int) -> int:
        """Return how many tokens a turn should have that begins with a record of some length."""
        budget = self.run.plan.budget
        return min(cheapest_row(longest, budget.attention_share), budget.tokens)


def held_out_of(folder: Path, config: RunConfig, words: Words, catalogue: Catalogue) -> HeldOutFile | None:
    """Return a run's test rows; None where they are not at hand, or were prepared otherwise since, which is logged.

    Raises:
        LikelyError: the run's task.json or metrics.json is damaged.
    """
    held_out = HeldOutFile.of(config, words, catalogue)
    changed = changed_since(folder, config, held_out.path) if held_out else None
    if changed:
        logging.getLogger(LOGGER).warning("Users of the test rows are not shown: %s", changed)
        return None
    return held_out


def encoded_of(portions: Sequence[Portion]) -> list[EncodedRecord]:
    """Return the records of portions, one portion after the other."""
    return [portion.ask.encoded[place] for portion in portions for place in portion.places]
