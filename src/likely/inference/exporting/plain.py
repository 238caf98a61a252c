"""P(Yes) by plain transformers: what anybody gets who loads an exported model without this package.

`merged` and `gguf_file` compare with it what they have written; the model card shows the same lines as code.
"""

from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from likely.data.records import Labels
from likely.errors import LikelyError
from likely.inference.exporting.prompts import Prompt
from likely.model.answers import FloatRows
from likely.model.runtime import quiet_libraries

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Expected:
    """What a run says, for comparison.

    Attributes:
        prompts: of some of its records.
        p_yes: of its adapter on the unquantised base model in float32, float64 [prompts].
        first_tokens: first token of the positive and of the negative label.
        labels: the two answers.
        notes: what a person should know of its answers, a sentence each.
    """

    prompts: Sequence[Prompt]
    p_yes: FloatRows
    first_tokens: tuple[int, int]
    labels: Labels
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Agreement:
    """How near an exported model comes to its run.

    Attributes:
        rows: that were compared.
        rendered: for how many of them transformers made the prompt itself, from turns; the others are given as tokens.
        difference: largest absolute difference of P(Yes).
    """

    rows: int
    rendered: int
    difference: float


@quiet_libraries()
def plain_answers(folder: Path, expected: Expected, model: "PreTrainedModel | None" = None) -> FloatRows:
    """Return P(Yes) of prompts, each computed alone by transformers: float64 [prompts].

    Args:
        folder: of an exported model.
        expected: whose prompts to ask, and which tokens to compare.
        model: to ask in place of the folder's own; its weights are moved to the GPU if there is one.

    Raises:
        LikelyError: the exported tokenizer makes other prompts than the run.
    """
    import torch
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = model or load_plain(folder)
    if torch.cuda.is_available():
        model.to("cuda")  # type: ignore[arg-type]
    answers = []
    for prompt in expected.prompts:
        ids = torch.from_numpy(prompt.ids).long()[None]
        if prompt.turns is not None:
            made: Any = tokenizer.apply_chat_template(
                prompt.turns, add_generation_prompt=True, return_tensors="pt", return_dict=True
            )
            if not torch.equal(made["input_ids"], ids):
                raise LikelyError("The exported tokenizer makes other prompts than the run; nothing was written.")
        with torch.no_grad():
            logits = model(ids.to(model.device)).logits[0, -1, list(expected.first_tokens)]
        answers.append(float(logits.double().softmax(-1)[0]))
    return np.array(answers)


@quiet_libraries()
def load_plain(folder: Path, gguf: Path | None = None) -> "PreTrainedModel":
    """Return an exported model in float32, or what a GGUF file holds of it, as transformers loads it."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    # What transformers reads of a configuration out of a GGUF file lacks the size of heads for some families.
    source: dict[str, Any] = {"gguf_file": gguf.name, "config": AutoConfig.from_pretrained(folder)} if gguf else {}
    with redirect_stderr(StringIO()):  # a bar that transformers draws for a GGUF file whatever it is told
        model: Any = AutoModelForCausalLM.from_pretrained(
            gguf.parent if gguf else folder, dtype=torch.float32, **source
        )
    return cast("PreTrainedModel", model.eval())


def agreement(p_yes: FloatRows, expected: Expected, tolerance: float, what: str) -> Agreement:
    """Compare an exported model with its run.

    Args:
        p_yes: of the exported model, float64 [prompts].
        expected: of the run.
        tolerance: largest difference of P(Yes) that passes.
        what: was exported, for the message.

    Raises:
        LikelyError: they differ by more.
    """
    difference = float(np.abs(p_yes - expected.p_yes).max())
    if not difference <= tolerance:  # nor where it is not a number
        raise LikelyError(
            f"P(Yes) of {what} differs from the run's by up to {difference:.4f} on {len(p_yes)} rows, and at most "
            f"{tolerance:g} passes, so nothing was written; ask the run itself, by likely predict or likely serve."
        )
    made = sum(prompt.turns is not None for prompt in expected.prompts)
    return Agreement(len(p_yes), made, difference)
