"""What all benchmarks share: model and records to measure on, alternating rounds, and the form of a result.

A result in results/ holds rows of the table in docs/speed.md (`speed_page` writes it), the raw seconds behind them,
and versions and machine. A contestant that cannot run has a reason instead of seconds.
"""

import argparse
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import RESULTS
from benchmarks.machine import commit, gpu, machine, processor, versions
from likely.data.movielens import read_movielens
from likely.data.preparation import prepare
from likely.data.protocol import SplitProtocol
from likely.data.records import Labels, read_records
from likely.encoding.batches import Budget, Layout
from likely.encoding.order import shared_runs, shuffled_groups, steps_of
from likely.encoding.prefix_tree import chain_lengths
from likely.encoding.prompt import EncodedRecord, PromptBuilder
from likely.model.adapter import Lora, add_adapter, base_model
from likely.model.base import Precision, attention_share, load_base, load_tokenizer
from likely.model.block_attention import attend_in_blocks
from likely.model.runtime import keep_freed_memory
from likely.model.scoring import PassPlan
from likely.sources.catalogue import resolve_model

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
CUTOFF = 1024
TREE, PADDED, TRL = "tree", "padded, answers only", "TRL SFTTrainer"
"""How the table of docs/speed.md calls the three that several benchmarks compare."""


def plain_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser that shows a module's own description, and takes what every benchmark takes."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True, help="folder or zip of MovieLens latest-small")
    return parser


def model_parser(description: str | None, rounds: int | None = 5) -> argparse.ArgumentParser:
    """Return a parser of what every benchmark of a model takes; `rounds` is None where there are none."""
    parser = plain_parser(description)
    parser.add_argument("--model", help="name or folder; by default smollm2-135m")
    parser.add_argument("--shapes", type=Path, help="random weights in the shapes of this folder's config.json")
    if rounds is not None:
        parser.add_argument("--rounds", type=int, default=rounds)
    return parser


@dataclass(frozen=True)
class Row:
    """One line of the table of docs/speed.md.

    Attributes:
        figure: what is measured.
        bar: what it should be, as in `>= 6x`; empty without one.
        value: what it is, as a person would say it.
        met: whether the bar is met; None if it cannot be measured here.
        note: where it was measured, or why not.
    """

    figure: str
    bar: str
    value: str
    met: bool | None
    note: str


def faster_row(figure: str, times: float, bar: float, note: str) -> Row:
    """Return the row of a figure that says how many times faster something is, and should be."""
    return Row(figure, f">= {bar}x", f"{times:.1f}x", times >= bar, note)


@dataclass(frozen=True)
class Bench:
    """A model with an adapter and a builder of its prompts.

    Attributes:
        name: as shown in results.
        model: with a fresh LoRA adapter of rank 16 on all seven projections, no dropout.
        builder: at a length limit of 1,024 tokens.
        budget: of a forward pass of two records.
    """

    name: str
    model: Any
    builder: PromptBuilder
    budget: Budget

    def plan(self, layout: Layout) -> PassPlan:
        """Return how records are laid out and where the two answers are read."""
        return PassPlan(layout, self.budget, self.builder.first_tokens)


def load_bench(
    name: str | None,
    shapes: Path | None = None,
    dtype: str = "float32",
    own_attention: bool = True,
    own_product: bool = True,
    upper_layers: int | None = None,
) -> Bench:
    """Return a named model with its weights, or random weights in the shapes of a folder with config and tokenizer.

    It attends and adapts as `likely` does. Without `own_attention` and `own_product`, as contestants that are not ours.
    """
    import torch
    from peft import LoraConfig, get_peft_model

    keep_freed_memory()
    torch.manual_seed(0)
    if shapes:
        from transformers import AutoConfig, AutoModelForCausalLM

        config = AutoConfig.from_pretrained(shapes)
        base = AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype), attn_implementation="sdpa")
        location, shown = str(shapes), f"{shapes.name}, random weights"
    else:
        location, shown = resolve_model(name or "smollm2-135m").location, name or "smollm2-135m"
        base = load_base(location, Precision(dtype, False), "sdpa", in_blocks=False)
    if own_attention:
        attend_in_blocks(base)
    if own_product:
        model = add_adapter(base, Lora(16, 64, 0.0, TARGETS, upper_layers))
    else:
        model = get_peft_model(
            base, LoraConfig(r=16, lora_alpha=64, target_modules=list(TARGETS), task_type="CAUSAL_LM")
        )
    builder = PromptBuilder(load_tokenizer(location), Labels(), CUTOFF)
    return Bench(shown, model, builder, Budget(2 * CUTOFF, attention_share(base_model(model))))


def prepared(source: Path, folder: Path, protocol: SplitProtocol | None = None) -> Path:
    """Prepare the records of a MovieLens release in a folder, unless they are there, and return it."""
    if not (folder / "train.json").is_file():
        prepare(read_movielens(source), folder, protocol or SplitProtocol())
    return folder


def training_step(builder: PromptBuilder, data: Path, group_size: int, step_size: int) -> list[EncodedRecord]:
    """Return the optimizer step, of a seeded epoch over all training records, whose saving is the median one."""
    encoded = builder.encode_all(read_records(data / "train.json", Labels()))
    order = shuffled_groups(shared_runs(encoded), group_size, step_size, seed=42)(0)
    steps = [[encoded[index] for index in step] for step in steps_of(order, step_size)[:-1]]
    return sorted(steps[:501], key=saving)[len(steps[:501]) // 2]


def saving(step: Sequence[EncodedRecord]) -> float:
    """Return how many tokens the records of a step have for each one that their tree has."""
    _, own = chain_lengths([record.input_ids for record in step])
    return float(sum(len(record.input_ids) for record in step) / own.sum())


def alternate(
    contestants: Mapping[str, Callable[[int], float]], rounds: int, within: float = 1e-3
) -> dict[str, list[float]]:
    """Return seconds of every round of contestants, in turns, every other round in reverse order, after one not kept.

    Args:
        contestants: called with the round's number; return a checksum, as the loss, on which all agree.
        rounds: kept.
        within: the most that checksums may differ by, relatively.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    names = list(contestants)
    for turn in range(rounds + 1):
        checks: dict[str, float] = {}
        for name in names[:: 1 if turn % 2 else -1]:
            started = time.perf_counter()
            checks[name] = contestants[name](turn)
            spent = time.perf_counter() - started
            if turn:
                seconds[name].append(spent)
        agreed = next(iter(checks.values()))
        assert all(abs(check - agreed) <= within * abs(agreed) for check in checks.values()), checks
        print(f"round {turn}: " + ", ".join(f"{name} {seconds[name][-1:]}" for name in names), flush=True)
    return seconds


def ratio(seconds: Mapping[str, Sequence[float]], slow: str, fast: str) -> float:
    """Return how many times faster one contestant is than another, by their medians."""
    return float(np.median(seconds[slow]) / np.median(seconds[fast]))


def rate(seconds: Mapping[str, Sequence[float]], name: str, units: int) -> float:
    """Return the units a second of a contestant that does so many in a round, by its median."""
    return units / float(np.median(seconds[name]))


def spread_table(seconds: Mapping[str, Sequence[float]], units: int, unit: str, against: str) -> Table:
    """Return a table of medians and spreads: seconds a round, units a second, and how often faster than `against`."""
    table = Table("", "median s", "min - max s", f"{unit}/s", f"faster than {against}")
    for name, spent in seconds.items():
        table.add_row(
            name,
            f"{np.median(spent):.2f}",
            f"{min(spent):.2f} - {max(spent):.2f}",
            f"{rate(seconds, name, units):.2f}",
            f"{ratio(seconds, against, name):.2f}x",
        )
    return table


def save(
    name: str,
    claim: str,
    command: str,
    rows: Sequence[Row],
    details: Mapping[str, Any],
    ran_on: Mapping[str, Any] | None = None,
) -> Path:
    """Write a result, in place of the older ones of that name and machine, and return where.

    Args:
        name: of the file, which gets the machine and the date too.
        claim: what is shown, with the `command` that repeats it.
        rows: of the table of docs/speed.md.
        details: raw figures, as keys of their own.
        ran_on: what :func:`machine` said there, where the figures are of another machine.
    """
    result = {
        "claim": claim,
        "command": command,
        "date": time.strftime("%Y-%m-%d"),
        "machine": ran_on or machine(),
        "versions": versions(),
        "commit": None if ran_on else commit(),
        "rows": [asdict(row) for row in rows],
        **details,
    }
    path = result_path(name, ran_on)
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for older in {*RESULTS.glob(f"{path.stem[:-10]}20??-??-??.json")} - {path}:
        older.unlink()
    return path


def result_path(name: str, ran_on: Mapping[str, Any] | None = None) -> Path:
    """Return where today's result of a benchmark belongs, on any machine: `<name>-<machine>-<date>.json`."""
    where = ran_on or {"processor": processor(), "gpu": gpu()}
    words = re.findall("[a-z0-9]+", re.sub(r"\((r|tm)\)", " ", f"{where['processor']} {where['gpu'] or ''}".lower()))
    return RESULTS / f"{name}-{'-'.join(words)}-{time.strftime('%Y-%m-%d')}.json"


def model_name(arguments: argparse.Namespace) -> str:
    """Return what files of results call the measured model or shapes."""
    return str((arguments.shapes or Path(arguments.model or "smollm2-135m")).name)


def command_line(script: str, arguments: argparse.Namespace, *options: str) -> str:
    """Return how to repeat a benchmark, for any reader's folders, with its model and some options as they were."""
    given = vars(arguments)
    words = [f"python -m benchmarks.{script} --source ML_LATEST_SMALL"]
    if given.get("model"):
        words.append(f"--model {given['model']}")
    elif given.get("shapes"):
        words.append(f"--shapes {given['shapes'].name.upper()}")
    for name in options:
        values = given[name] if isinstance(given[name], list) else [given[name]]
        words.append(f"--{name.replace('_', '-')} {' '.join(str(value) for value in values)}")
    return " ".join(words)


def trl_rows(encoded: Sequence[EncodedRecord]) -> list[dict[str, list[int]]]:
    """Return records as tokens and completion masks, which TRL takes as they are."""
    return [
        {
            "input_ids": [*record.input_ids.tolist(), record.answer[-1]],
            "completion_mask": [0] * len(record.prompt_ids) + [1] * len(record.answer),
        }
        for record in encoded
    ]


def rounded(seconds: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
    """Return seconds as a result keeps them."""
    return {name: [round(value, 4) for value in values] for name, values in seconds.items()}


def print_result(table: Table, rows: Sequence[Row]) -> None:
    """Print a table and below it a line for each row of a result."""
    console = Console()
    console.print(table)
    for row in rows:
        verdict = {True: "met", False: "missed", None: "cannot run"}[row.met] if row.bar else ""
        console.print(f"{row.figure}: [bold]{row.value}[/bold]  {row.bar} {verdict}", highlight=False)
