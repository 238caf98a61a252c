"""What the tree costs where there is nothing to share: sliding windows, against packed rows of the same records.

    python benchmarks/no_sharing.py --source FOLDER_OR_ZIP_OF_A_RELEASE [--model FOLDER_OR_NAME]

Alternates the two layouts within one run on the same steps, checks that their losses agree, and prints the ratio of
their median times last; also the time to plan an epoch of all records. Writes benchmarks/results/no-sharing-<date>.json
"""

import argparse
import json
import platform
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from likely.cli.demo import tiny_base
from likely.data.movielens import read_movielens
from likely.data.preparation import prepare
from likely.data.protocol import SplitProtocol
from likely.data.records import Labels, read_records
from likely.encoding.batches import Budget, Layout, make_batches
from likely.encoding.order import shared_runs, shuffled_groups
from likely.encoding.prompt import EncodedRecord, PromptBuilder
from likely.encoding.saving import epoch_saving
from likely.model.adapter import Lora, add_adapter, base_model
from likely.model.base import Precision, attention_share, load_base, load_tokenizer
from likely.model.forward import answer_logits
from likely.model.runtime import keep_freed_memory
from likely.sources.catalogue import resolve_model

RESULTS = Path(__file__).parent / "results"
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
STEP = 16
LAYOUTS: tuple[Layout, ...] = ("tree", "packed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--model")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        prepare(read_movielens(arguments.source), folder, SplitProtocol(window="sliding"))
        location = resolve_model(arguments.model or str(tiny_base(folder / "tiny-base", folder))).location
        builder = PromptBuilder(load_tokenizer(location), Labels(), 1024)
        records = builder.encode_all(read_records(folder / "train.json", Labels()))
        base = load_base(location, Precision("float32", False), "sdpa")
    model = add_adapter(base, Lora(16, 64, 0.0, TARGETS))
    budget = Budget(2 * 1024, attention_share(base_model(model)))
    started = time.perf_counter()
    saving = epoch_saving(records, shuffled_groups(shared_runs(records), 8, STEP, 0), STEP, "tree", budget)
    planning = time.perf_counter() - started
    print(f"{saving.describe('tree', 2)}, planned in {planning:.1f} s")
    draw = np.random.default_rng(0)
    seconds: dict[str, list[float]] = {layout: [] for layout in LAYOUTS}
    for turn in range(arguments.rounds + 1):
        step = [records[index] for index in draw.choice(len(records), STEP, replace=False)]
        timed = {layout: run_step(model, step, layout, budget) for layout in LAYOUTS[:: 1 if turn % 2 else -1]}
        losses = [loss for loss, _ in timed.values()]
        assert abs(losses[0] - losses[1]) < 1e-4 * abs(losses[0])
        if turn:  # the first warms up
            for layout, (_, spent) in timed.items():
                seconds[layout].append(spent)
    ratio = float(np.median(seconds["tree"]) / np.median(seconds["packed"]))
    result = {
        "claim": "time of a step without anything to share, tree over packed",
        "date": time.strftime("%Y-%m-%d"),
        "machine": {"processor": platform.processor() or platform.machine(), "threads": torch.get_num_threads()},
        "versions": {name: version(name) for name in ("likely", "torch", "transformers", "peft")},
        "data": arguments.source.resolve().name,
        "model": arguments.model or "tiny",
        "records_planned": saving.records,
        "planning_seconds": round(planning, 2),
        "seconds": {layout: [round(value, 3) for value in values] for layout, values in seconds.items()},
        "ratio": round(ratio, 3),
    }
    path = RESULTS / f"no-sharing-{result['date']}.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"tree / packed: {ratio:.3f}")


def run_step(model: torch.nn.Module, step: list[EncodedRecord], layout: Layout, budget: Budget) -> tuple[float, float]:
    """Lay out one step and run it forward and backward; return its loss and seconds."""
    started = time.perf_counter()
    total = 0.0
    for batch in make_batches(step, layout, budget):
        logits = answer_logits(model, batch, base_model(model))
        loss = torch.nn.functional.cross_entropy(logits, batch.targets, reduction="sum") / len(step)
        loss.backward()
        total += loss.item()
    model.zero_grad()
    return total, time.perf_counter() - started


if __name__ == "__main__":
    main()
