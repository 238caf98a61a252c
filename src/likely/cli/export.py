"""`likely export`: a run as a model for other programs, checked before it is left."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from likely.cli.options import MAIN_RUN, RunFolder
from likely.errors import LikelyError

if TYPE_CHECKING:
    from likely.inference.exporting.merged import Exported


class Form(StrEnum):
    """What a run becomes."""

    MERGED = "merged"
    GGUF = "gguf"


class Weights(StrEnum):
    """How a GGUF file holds weights."""

    F32 = "f32"
    F16 = "f16"
    Q8_0 = "q8_0"


def export(
    output: Annotated[Path, typer.Option(help="A new folder for the files.")],
    to: Annotated[Form, typer.Option(help="merged: a model folder; gguf: a file for llama.cpp and Ollama.")],
    adapter_dir: RunFolder = MAIN_RUN,
    outtype: Annotated[Weights | None, typer.Option(help="Weights of a GGUF file; f16 unless given.")] = None,
    data: Annotated[Path | None, typer.Option(help="Records to check on; by default the run's test file.")] = None,
    push_to_hub: Annotated[str | None, typer.Option(help="Also upload to this private repository.")] = None,
) -> None:
    """Write a run as a model of its own, and check that it answers as the adapter does."""
    from likely.cli.progress import scoring_bar
    from likely.data.run_data import held_out_records
    from likely.files import check_new
    from likely.inference.loaded_run import config_of
    from likely.model.runtime import ready_process
    from likely.report.console import SafeConsole

    if outtype and to is not Form.GGUF:
        raise LikelyError(
            f"--outtype {outtype.value} is for --to gguf; leave it out, the merged weights are in float32."
        )
    check_new(output)
    console = SafeConsole()
    ready_process()
    from likely.inference.exporting.gguf_file import converter_command, export_gguf
    from likely.inference.exporting.hub import check_login, push
    from likely.inference.exporting.merged import ROWS, export_merged

    if to is Form.GGUF:
        converter_command()
    if push_to_hub:
        check_login(push_to_hub)
    records = held_out_records(config_of(adapter_dir), data, ROWS)
    with scoring_bar(console, "asking the adapter") as on_progress:
        if to is Form.GGUF:
            exported = export_gguf(adapter_dir, output, records, (outtype or Weights.F16).value, on_progress)
        else:
            exported = export_merged(adapter_dir, output, records, on_progress)
    for sentence in (described(exported), *exported.notes):
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)
    if push_to_hub:
        console.print(f"Uploaded to {push(output, push_to_hub)}.", markup=False, highlight=False, soft_wrap=True)


def described(exported: Exported) -> str:
    """Return where an export is and how it was checked, in two sentences."""
    found = exported.agreement
    made = f"; transformers made {found.rendered:,} of the prompts itself" if found.rendered < found.rows else ""
    return (
        f"Written to {exported.folder}. In plain transformers, P(Yes) of {found.rows:,} rows is the adapter's to "
        f"{found.difference:.1e}{made}."
    )
