"""`likely infer`: base model against adapter, on examples and in figures."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from likely.cli.options import MAIN_RUN, Overrides, RunFolder
from likely.files import check_writable, json_line, replacing

if TYPE_CHECKING:
    from likely.data.records import Record
    from likely.model.answers import Answers


def infer(
    overrides: Overrides = None,
    adapter_dir: RunFolder = MAIN_RUN,
    config: Annotated[Path | None, typer.Option(help="YAML file; by default the run's own.")] = None,
    data: Annotated[Path | None, typer.Option(help="Records; by default the run's test file.")] = None,
    max_samples: Annotated[int | None, typer.Option(help="Score so many records, of whole users.", min=1)] = 200,
    output: Annotated[Path | None, typer.Option(help="Write one JSON object a record to this file.")] = None,
    examples: Annotated[int, typer.Option(help="Histories shown.", min=0)] = 5,
) -> None:
    """Compare base model and adapter: examples, P(Yes) of both, metrics."""
    from likely.cli.progress import print_notes, scoring_bar
    from likely.data.task import RecordsTask
    from likely.evaluation.asked import read_asked
    from likely.evaluation.contest import judge
    from likely.evaluation.own_records import named_by_label
    from likely.evaluation.run import ask_models, simple_baselines
    from likely.inference.kept_answers import keeping_beside
    from likely.inference.loaded_run import LoadedRun, config_of
    from likely.model.runtime import ready_process
    from likely.report.console import SafeConsole
    from likely.report.terminal import example_table, results_table

    if output:
        check_writable(output)
    console = SafeConsole()
    ready_process()
    settings = config_of(adapter_dir, config, overrides or ())
    asked = read_asked(adapter_dir, settings, data, max_samples)
    labels, records = asked.labels, asked.rows
    baselines = simple_baselines(asked)
    with keeping_beside(output) if output else nullcontext() as kept:
        with scoring_bar(console, "scoring base and adapter") as on_progress:
            run = LoadedRun.load(adapter_dir, settings)
            said = ask_models(run, records, on_progress=on_progress, kept=kept)
        print_notes(console, [*asked.notes, *run.notes], kept)
        assert said.base is not None
        if examples:
            console.print(example_table(records, said.base, said.adapter, examples))
        systems = [*baselines, *said.systems(settings)]
        if isinstance(asked.task, RecordsTask):
            systems = named_by_label(systems, labels)
        console.print(results_table(judge(records, labels, systems)))
        if output:
            write_scores(output, records, said.base, said.adapter)
            console.print(f"Scores written to {output}.", markup=False, soft_wrap=True, highlight=False)


def write_scores(path: Path, records: Sequence[Record], base: Answers, adapter: Answers) -> None:
    """Write one JSON object a record: its row in the file, ids, the truth, and P(Yes) of base and adapter."""
    from likely.data.records import row_number

    with replacing(path) as out:
        for place, record in enumerate(records):
            line = {
                "row": row_number(record, place),
                "user_id": record.user_id,
                "item_id": record.item_id,
                "output": record.output,
                "base": _said(base, place),
                "adapter": _said(adapter, place),
            }
            out.write(json_line(line))


def _said(answers: Answers, place: int) -> dict[str, float | bool]:
    return {
        "p_yes": float(answers.p_yes[place]),
        "label_mass": float(answers.label_mass[place]),
        "answered": bool(answers.says_yes[place] or answers.says_no[place]),
    }
