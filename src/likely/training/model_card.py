"""The README.md of a run's folder: what the adapter answers, what it was trained on, how good it is, how to load it.

`run` gives what it knows before the training and `run_folder` the figures; the page takes the place of the form that
peft leaves. Its front matter is what the hub reads of a model card (https://huggingface.co/docs/hub/model-cards).
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from likely.data.records import Labels, Record
from likely.data.task import RatingsTask, Task
from likely.encoding.chat_template import ChatTemplate
from likely.encoding.prompt import PromptBuilder, user_turn
from likely.errors import LikelyError
from likely.model.adapter import Lora
from likely.model.base import Precision

PROBE = "Candidate: Heat"
"""What a prompt is tried with."""

RATE_LEFT = 0.1
"""A learning rate below this share of its peak has come down."""


@dataclass(frozen=True)
class Question:
    """What the prompts of all records have in common; None is what differs, or is not there.

    Attributes:
        instruction: what is asked.
        system: the system prompt.
        is_all: whether there is nothing else before a record's own text: no other system prompts, no earlier turns.
    """

    instruction: str | None
    system: str | None
    is_all: bool = True


@dataclass(frozen=True)
class CardFacts:
    """What a model card says beside the figures.

    Attributes:
        base: name of the base model as the configuration has it.
        location: hub name or folder that it is loaded from.
        revision: branch, tag or commit on the hub.
        precision: what it was trained in.
        lora: sizes of the adapter.
        labels: the two answers.
        question: what is asked.
        training_file: where the training records come from.
        records: how many of them were trained on.
        task: how the records were made.
        first_tokens: first token of the positive and of the negative label.
        is_plain: whether transformers alone makes the run's prompts; see :func:`is_made_by_transformers`.
    """

    base: str
    location: str
    revision: str | None
    precision: Precision
    lora: Lora
    labels: Labels
    question: Question
    training_file: Path
    records: int
    task: Task
    first_tokens: tuple[int, int]
    is_plain: bool


def question_of(records: Iterable[Record]) -> Question:
    """Return what records have in common."""
    asked = {(record.instruction, record.system, bool(record.history)) for record in records}
    instructions, systems, turns = (set(parts) for parts in zip(*asked, strict=True))
    instruction, system = (next(iter(p)) or None if len(p) == 1 else None for p in (instructions, systems))
    return Question(instruction, system, len(systems) == 1 and turns == {False})


def is_made_by_transformers(builder: PromptBuilder, question: Question) -> bool:
    """Return whether the code of the page gets a run's very prompts from the tokenizer's chat template, on any day.

    It does not where records have system prompts that differ, or earlier turns, nor where the template leaves to a
    finished conversation what stands before an answer, writes no system prompt, or writes the date.

    Args:
        builder: of the run's prompts.
        question: what they have in common.
    """
    record = Record(question.instruction or PROBE, PROBE, builder.labels.positive, system=question.system or "")
    encoded = builder.encode(record)
    turns = [{"role": "system", "content": record.system}] if record.system else []
    turns.append({"role": "user", "content": user_turn(record)})
    try:
        text = ChatTemplate(builder.tokenizer).render(turns, answered=False)
    except LikelyError:
        return False
    made: Any = builder.tokenizer(text, add_special_tokens=False)["input_ids"]
    return question.is_all and builder.date is None and list(made) == encoded.prompt_ids.tolist()


def model_card(facts: CardFacts, figures: Mapping[str, Any]) -> str:
    """Return the page, in Markdown.

    Args:
        facts: what was known before the training.
        figures: content of metrics.json.
    """
    from huggingface_hub import ModelCardData

    is_of_ratings = isinstance(facts.task, RatingsTask)
    tags = ["lora", "recommendation", "likely"] if is_of_ratings else ["lora", "text-classification", "likely"]
    front = ModelCardData(base_model=facts.base, library_name="peft", tags=tags)
    yes, no = facts.labels.positive, facts.labels.negative
    said = "say whether a user will like a candidate" if is_of_ratings else f"answer {yes} or {no}"
    sections = {
        "The question": _question(facts),
        "Training": _training(facts, figures),
        "Evaluation": _evaluation(figures),
        "Loading it": _loading(facts),
    }
    return (
        "\n\n".join(
            [
                f"---\n{front.to_yaml()}\n---",
                f"# A LoRA adapter that answers {yes} or {no}",
                f"It makes `{facts.base}` {said}: by the probability of `{yes}` beside that of `{no}` at the first "
                "token of the answer.",
                *(f"## {title}\n\n{text}" for title, text in sections.items()),
            ]
        )
        + "\n"
    )


def early_end(figures: Mapping[str, Any]) -> str | None:
    """Return a sentence on a run that ended, by `max_minutes` or for want of progress, before its schedule came down.

    Args:
        figures: content of metrics.json.
    """
    trained = figures["train"]
    steps, planned, left = trained["steps"], trained.get("planned_steps"), trained.get("rate_left")
    if not steps or planned is None or steps >= planned or not left or left < RATE_LEFT:
        return None
    return (
        f"The run ended at step {steps:,} of {planned:,}, where its learning rate had yet to come down from {left:.0%} "
        f"of its peak; with max_steps={steps} it would have."
    )


def loading_code(facts: CardFacts) -> str:
    """Return Python code that defines `p_yes(text)` in a run's folder, without this package."""
    system, instruction = facts.question.system, facts.question.instruction
    options, imported = f"dtype=torch.{facts.precision.dtype}", "AutoModelForCausalLM, AutoTokenizer"
    if facts.revision:
        options += f", revision={facts.revision!r}"
    if facts.precision.four_bit:
        imported += ", BitsAndBytesConfig"
        options += f""", quantization_config=BitsAndBytesConfig(
    load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
    bnb_4bit_compute_dtype=torch.{facts.precision.dtype},
)"""
    before = f'{{"role": "system", "content": {system!r}}}, ' if system else ""
    question = f"question = {instruction!r}\n" if instruction else ""
    asked = 'f"{question}\\n{text}"' if instruction else "text"
    return f"""import torch
from peft import PeftModel
from transformers import {imported}

tokenizer = AutoTokenizer.from_pretrained(".")
base = AutoModelForCausalLM.from_pretrained({facts.location!r}, {options})
model = PeftModel.from_pretrained(base, ".").eval()
yes_no = {list(facts.first_tokens)}  # the first tokens of {facts.labels.positive} and {facts.labels.negative}
{question}

def p_yes(text):  # {"the input of a record" if instruction else "instruction and input of a record"}
    turns = [{before}{{"role": "user", "content": {asked}}}]
    prompt = tokenizer.apply_chat_template(
        turns, add_generation_prompt=True, enable_thinking=False, return_tensors="pt", return_dict=True
    ).to(model.device)
    with torch.no_grad():
        logits = model(**prompt).logits[0, -1, yes_no]
    return logits.softmax(-1)[0].item()
"""


def _loading(facts: CardFacts) -> str:
    if facts.is_plain:
        return f"In the folder of this file, with transformers and peft:\n\n```python\n{loading_code(facts)}```"
    if not facts.question.is_all:
        return (
            "The adapter loads in plain peft. Its records have system prompts that differ, or earlier turns, and "
            "answers to prompts without these are not the ones measured here. Ask it by `likely predict` or `likely "
            "serve`, which take whole records."
        )
    return (
        "The adapter loads in plain peft, but transformers alone does not make the prompts that it was trained with of "
        "this chat template, and answers to other prompts are not the ones measured here. Ask it by `likely predict` "
        "or `likely serve`, or let `likely export --to merged` write a model whose template makes them."
    )


def _question(facts: CardFacts) -> str:
    answers = f"Answers: `{facts.labels.positive}`, `{facts.labels.negative}`."
    if facts.question.instruction is None:
        return f"Records differ in their instruction. {answers}"
    quoted = "\n".join(f"> {line}" for line in facts.question.instruction.splitlines())
    return f"{quoted}\n\nBelow it stands the input of a record. {answers}"


def _training(facts: CardFacts, figures: Mapping[str, Any]) -> str:
    held = f"4-bit NF4 weights, {facts.precision.dtype}" if facts.precision.four_bit else facts.precision.dtype
    lines = {
        "base model": f"`{facts.base}`{f' at {facts.revision}' if facts.revision else ''}, in {held}",
        "adapter": f"LoRA of rank {facts.lora.rank}, alpha {facts.lora.alpha}, on {', '.join(facts.lora.targets)}"
        + (f" of the {facts.lora.upper_layers} layers next to the output" if facts.lora.upper_layers else ""),
        "records": f"{facts.records:,} of `{facts.training_file.name}`, {figures['train']['steps']:,} optimizer steps",
    }
    if isinstance(facts.task, RatingsTask):
        lines["ratings"] = facts.task.dataset or "unknown"
        lines["preparation"] = ", ".join(f"{name} {value}" for name, value in vars(facts.task.protocol).items())
    lines["versions"] = ", ".join(f"{name} {version}" for name, version in figures["versions"].items())
    early = early_end(figures)
    if early:
        lines["schedule"] = early
    return "\n".join(f"- {name}: {text}" for name, text in lines.items()) + "\n\nAll settings are in `config.yaml`."


def _evaluation(figures: Mapping[str, Any]) -> str:
    measured = {
        name.removeprefix("eval_"): value
        for name, value in figures["eval"].items()
        if name not in ("eval_runtime", "eval_samples_per_second", "eval_steps_per_second") and math.isfinite(value)
    }
    if not measured:
        return "It was not evaluated while it trained."
    rows = "\n".join(f"| {name} | {value:.4f} |" for name, value in measured.items())
    return (
        f"Of these very weights, after step {figures['best_step']}, on the evaluation records of the run:\n\n"
        f"| metric | value |\n|---|---|\n{rows}"
    )
