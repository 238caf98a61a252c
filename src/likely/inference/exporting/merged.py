"""A run as a plain model folder: adapter merged into full-precision weights, and the run's own prompts.

Takes the folder of a run and some of its records, and leaves what `from_pretrained` of transformers, vLLM or SGLang
reads, after plain transformers has answered these records as the adapter does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from likely.config.run_config import RunConfig
from likely.data.records import Record
from likely.errors import LikelyError
from likely.files import new_folder
from likely.inference.exporting.card import merged_card
from likely.inference.exporting.plain import Agreement, Expected, agreement, plain_answers
from likely.inference.exporting.prompts import plain_template, prompts_of
from likely.inference.loaded_run import LoadedRun, config_of
from likely.model.runtime import quiet_libraries
from likely.model.scoring import Progress

ROWS = 50
"""Records on which an export is checked."""

TOLERANCE = 1e-3
"""Largest difference of P(Yes) between the adapter and the merged model."""


@dataclass(frozen=True)
class Exported:
    """What an export has left.

    Attributes:
        folder: of the files.
        agreement: with the run.
        notes: what a user should know besides, a sentence each.
    """

    folder: Path
    agreement: Agreement
    notes: tuple[str, ...] = ()


def export_merged(
    run_folder: Path, output: Path, records: Sequence[Record], on_progress: Progress | None = None
) -> Exported:
    """Write a run as a model folder that needs neither this package nor peft.

    Weights are in float32: the base model's own, not the 4-bit ones of QLoRA, plus what the adapter adds.

    Args:
        run_folder: of the finished run.
        output: a folder that is not there yet, or empty.
        records: of the run, on which the outcome is checked.
        on_progress: told after every forward pass of the run.

    Raises:
        LikelyError: the run cannot be loaded, or the outcome is not the run; `output` is then as it was.
    """
    with new_folder(output) as scratch:
        expected = write_merged(run_folder, scratch, records, on_progress)
        found = agreement(plain_answers(scratch, expected), expected, TOLERANCE, "the merged model")
    return Exported(output, found, expected.notes)


@quiet_libraries()
def write_merged(
    run_folder: Path, folder: Path, records: Sequence[Record], on_progress: Progress | None = None
) -> Expected:
    """Write model, tokenizer, generation settings and model card, unchecked, and return what the run itself says.

    Raises:
        LikelyError: there are no records, or the run cannot be loaded.
    """
    if not records:
        raise LikelyError("There are no records to check the exported model on; name a file with --data.")
    config = config_of(run_folder)
    run = LoadedRun.load(run_folder, full_precision(config))
    prompts = prompts_of(run.builder, records)
    template = plain_template(run.builder, prompts)
    answers = run.answers(records, on_progress=on_progress)
    notes = (*notes_on(config), *run.notes)
    expected = Expected(prompts, answers.p_yes, run.builder.first_tokens, run.builder.labels, notes)

    merged = run.model.merge_and_unload(safe_merge=True)
    greedy = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    merged.generation_config.update(**greedy, max_new_tokens=run.builder.longest_answer)
    merged.save_pretrained(folder)
    run.builder.tokenizer.chat_template = template
    run.builder.tokenizer.save_pretrained(folder)
    card = merged_card(config.model_name_or_path, expected, records)
    (folder / "README.md").write_text(card, encoding="utf-8")
    return expected


def full_precision(config: RunConfig) -> RunConfig:
    """Return the configuration of a run with which its base model is loaded in float32, without quantisation."""
    return config.model_copy(update={"dtype": "float32", "quantization_bit": None, "flash_attn": "auto"})


def notes_on(config: RunConfig) -> tuple[str, ...]:
    """Return what the weights of a run mean for its export."""
    if config.quantization_bit is None:
        return ()
    return (
        "The run's configuration asks for 4-bit weights. The export is made of the unquantised ones and was compared "
        "with the adapter on these; what the adapter answers on 4-bit weights differs a little.",
    )
