"""A finished run, ready to answer: its folder in, P(Yes) of any records out, of the adapter and of its base model.

`evaluation` and `ranking` ask through it. What a user can get wrong is checked before anything large is read:
adapter and configuration, then the tokenizer, then the weights.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from likely.config.reading import load_config
from likely.config.run_config import RunConfig
from likely.data.records import Record, records_of
from likely.data.run_data import labels_of
from likely.data.task import CONFIG_FILE, Task, columns_of, read_task
from likely.encoding.batches import Budget, Layout
from likely.encoding.prompt import EncodedRecord, PromptBuilder
from likely.errors import LikelyError
from likely.inference.kept_answers import KeptAnswers
from likely.inference.precision_here import precision_here
from likely.inference.trained_on import check_adapter, check_base, check_reading, notes_on_date, tells_base
from likely.model.adapter import adapter_base, base_model, check_adapter_base, load_adapter
from likely.model.answers import Answers, FloatRows
from likely.model.attention import FLASH_ATTENTIONS, look_around, resolve_attention
from likely.model.base import (
    attention_share,
    check_model_folder,
    load_base,
    load_model_config,
    load_tokenizer,
    pass_cost,
)
from likely.model.cuda import ready_cuda
from likely.model.families import check_fit, choose_layout, width_multiple
from likely.model.fingerprint import adapter_of, library_versions, tokens_of, weights_of
from likely.model.item_embeddings import Embedder, Vectors, embed_items
from likely.model.kept_history import can_keep
from likely.model.scoring import PassPlan, Progress, score
from likely.model.self_check import OnlyPaddedError, check_exactness
from likely.sources.catalogue import cache_folder, resolve_model

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class LoadedRun:
    """A run's folder and what was loaded from it.

        run = LoadedRun.load("output/demo")
        answers = run.answers(records)
        answers_of_the_base = run.answers(records, adapter=False)

    Attributes:
        folder: of the run.
        config: that it was loaded with.
        builder: renders records as the run did.
        model: the base model with the adapter on it.
        adapter: what stands for this adapter, as :func:`likely.model.fingerprint.adapter_of` gives it.
        plan: how records are laid out, and what one forward pass may cost.
    """

    folder: Path
    config: RunConfig
    builder: PromptBuilder
    model: "PeftModel"
    adapter: str
    plan: PassPlan
    _notes: list[str] = field(default_factory=list, repr=False, compare=False)
    _checked: dict[PassPlan, int] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def load(cls, folder: Path | str, config: RunConfig | None = None, layout: Layout | None = None) -> "LoadedRun":
        """Load base model, adapter and tokenizer, on the GPU if there is one.

        Args:
            folder: output folder of the run.
            config: other knobs than those in its config.yaml.
            layout: of a forward pass; None for the run's own. A model that is exact in padded rows only gets those. A
                run that was trained with FlashAttention, which has no tree masks, takes another attention where the
                layout is `tree`. So does every run that was trained with FlexAttention, which compiles its kernels
                anew in each process, keeps no history, and has none of them on a CPU.

        Raises:
            LikelyError: the folder holds no run, its adapter belongs to another base model, or something cannot be
                loaded.
        """
        folder = Path(folder)
        config = config or config_of(folder)
        location = resolve_model(config.model_name_or_path).location
        if not tells_base(folder):
            check_adapter_base(folder, location)
        check_model_folder(location)
        model_config = load_model_config(location, config.model_revision)
        layout, of_layout = choose_layout(model_config, layout or config.batching)
        of_training = ("flex_attention", *(FLASH_ATTENTIONS if layout == "tree" else ()))
        flash_attn = "auto" if config.flash_attn in of_training else config.flash_attn
        ready_cuda()
        precision = precision_here(folder, config, model_config)
        if precision.dtype == "float16":  # of which check_base may know too little
            check_adapter_base(folder, location)
        attention = resolve_attention(flash_attn, look_around(layout, precision.is_half, model_config))
        tokenizer = load_tokenizer(location, config.model_revision)
        builder = PromptBuilder(tokenizer, labels_of(config), config.cutoff_len, config.prompt_date)
        check_reading(folder, builder)
        base = load_base(location, precision, attention.implementation, config.model_revision)
        of_base = check_base(folder, base, precision)
        adapter, model = adapter_of(folder), load_adapter(base, folder)
        check_adapter(folder, adapter, adapter_of(folder))
        tokens = config.evaluation_tokens
        budget = Budget(tokens, attention_share(base), width_multiple(base), pass_cost(base))
        plan = PassPlan(layout, budget, builder.first_tokens)
        notes = [*notes_on_date(folder, config, builder), *([of_base] if of_base else [])]
        notes += [f"Scored {of_layout}."] if of_layout else []
        return cls(folder, config, builder, model, adapter, plan, notes)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of its answers, a sentence each; :meth:`exact_plan` may add one."""
        return tuple(self._notes)

    @property
    def base(self) -> "PreTrainedModel":
        """The transformers model inside, adapter modules included."""
        return base_model(self.model)

    @property
    def task(self) -> Task:
        """What the run's records ask.

        Raises:
            LikelyError: the folder does not say so; see :func:`likely.data.task.read_task`.
        """
        return read_task(self.folder)

    def encode(self, records: Sequence[Record]) -> list[EncodedRecord]:
        """Return records as the model sees them.

        Raises:
            LikelyError: one is longer than the run's `cutoff_len` even without its history.
        """
        return self.builder.encode_all(records)

    def predict(self, records: Iterable[Record | Mapping[str, Any]]) -> FloatRows:
        """Return P(Yes) of records, float64 [records] in their order; what they answer themselves counts for nothing.

        Each gets what it would get alone. Those that share a beginning cost less together.

        Args:
            records: records, or rows as a file for this run has them: by default `instruction` and `input`.

        Raises:
            LikelyError: a row lacks something, or one is longer than the run's `cutoff_len` even without its history,
                or does not get in the run's layout what it gets alone; see :meth:`check`.
        """
        columns, labels = columns_of(self.folder), self.builder.labels
        asked = records_of(records, Path("the records given"), labels, columns, answered=False)
        encoded = self.encode(list(asked))
        self.check(encoded)
        return self.answers(encoded).p_yes

    def check(self, encoded: Sequence[EncodedRecord]) -> None:
        """Check that records get the answers in this plan that they get alone, unless ones as long were checked in it.

        Args:
            encoded: records, of which a few are asked.

        Raises:
            LikelyError: they do not; see `self_check`.
        """
        self._check(encoded, self.plan)

    def exact_plan(self, encoded: Sequence[EncodedRecord], times: int = 1) -> PassPlan:
        """Return the cheapest plan in which records get the answers that they get alone, found as by :meth:`check`.

        It is the run's, with the history of many records computed once where the model can (`kept_history`), or one of
        padded rows from when on the model was found to be exact in no others.

        Args:
            encoded: records, of which a few are asked.
            times: check anew only where one is longer than so many times the longest that was checked, for callers
                whose records grow little by little while somebody waits.

        Raises:
            LikelyError: the model is exact in no layout.
        """
        while True:
            try:
                self._check(encoded, self._ways[0], times)
                return self._ways[0]
            except OnlyPaddedError as error:
                del self._ways[0]
                if self._ways[0].layout == "padded":
                    self._notes.append(f"{error.fault}, so each record is scored in a row of its own, slowly.")

    @cached_property
    def _ways(self) -> list[PassPlan]:
        """Plans from the cheapest to the one in which every model is exact; the first that no records have refuted."""
        keeping = replace(self.plan, keeps_history=self.plan.layout == "tree" and can_keep(self.base))
        return list(dict.fromkeys((keeping, self.plan, replace(self.plan, layout="padded"))))

    def _check(self, encoded: Sequence[EncodedRecord], plan: PassPlan, times: int = 1) -> None:
        longest = max((len(record.input_ids) for record in encoded), default=0)
        checked = self._checked.get(plan, 0)
        if checked < longest <= times * checked:
            check_fit(self.base, longest, max(int(record.input_ids.max()) for record in encoded))
        elif longest > checked:
            tokens = plan.budget.tokens
            check_exactness(self.base, encoded, plan.layout, plan.first_tokens, tokens, plan.keeps_history)
            self._checked[plan] = longest

    def answers(
        self,
        asked: Sequence[Record | EncodedRecord],
        adapter: bool = True,
        on_progress: Progress | None = None,
        kept: KeptAnswers | None = None,
        plan: PassPlan | None = None,
    ) -> Answers:
        """Return what the model says of records, in their order.

        Args:
            asked: records, encoded or not.
            adapter: switch the adapter on; off, the base model answers.
            on_progress: told after every forward pass how many records are done, and of how many.
            kept: answers of an earlier command that are taken up, and where these are kept.
            plan: of the forward passes; by default the run's.

        Raises:
            LikelyError: what is to be kept cannot be written.
        """
        plan = plan or self.plan
        encoded = [one if isinstance(one, EncodedRecord) else self.builder.encode(one) for one in asked]
        with nullcontext() if adapter else self.model.disable_adapter():
            passes = kept.open(self._made_with(encoded, adapter, plan)) if kept and encoded else None
            return score(self.model, self.base, encoded, plan, on_progress, passes)

    def item_embeddings(self, texts: Sequence[str], noun: str, on_progress: Progress | None = None) -> Vectors:
        """Return what the base model, without the adapter, makes of items; see :func:`item_embeddings.embed_items`.

        Args:
            texts: items as prompts name them, no two alike and none empty.
            noun: of what is rated, in the singular.
            on_progress: told how many texts are done, and of how many.

        Returns:
            float32 [texts, hidden size].

        Raises:
            LikelyError: the model's layers are not to be found.
        """
        embedder = Embedder(self.base, self.builder.tokenizer, self.plan)
        with self.model.disable_adapter():
            return embed_items(embedder, texts, noun, cache_folder(), on_progress)

    def _made_with(self, encoded: Sequence[EncodedRecord], adapter: bool, plan: PassPlan) -> str:
        """Return everything that answers depend on, to the last digit."""
        base = self.base
        arithmetic = (base.dtype, base.device.type, base.config._attn_implementation, plan)
        versions = list(library_versions().values())
        made_with = (self.adapter, adapter, self._weights, tokens_of(encoded), arithmetic, versions)
        return repr(made_with)

    @cached_property
    def _weights(self) -> str:
        """What stands for the weights of base and adapter and for how they are computed with."""
        config = self.base.config.to_dict()
        config.pop("_name_or_path")
        return weights_of(self.base) + json.dumps(config, sort_keys=True, default=str)


def config_of(folder: Path, path: Path | None = None, overrides: Sequence[str] = ()) -> RunConfig:
    """Return the configuration of a run: the file given, or the one it left beside its adapter.

    Args:
        folder: of the run.
        path: a YAML file that takes the place of its config.yaml.
        overrides: `key=value`, over either.

    Raises:
        LikelyError: there is no adapter, or no configuration.
    """
    adapter_base(folder)
    own = folder / CONFIG_FILE
    if path is None and not own.is_file():
        raise LikelyError(f"{folder} has no config.yaml; name the configuration of its run with --config.")
    config = load_config(path or own, overrides)
    if config.prompt_date is None and path is not None:
        with suppress(LikelyError):  # it may be what the file given is to take the place of
            config = config.model_copy(update={"prompt_date": load_config(own).prompt_date})
    return config
