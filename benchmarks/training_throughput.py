"""Training examples a second: the tree, our own padded layout, and TRL's SFTTrainer, on the same records.

    python -m benchmarks.training_throughput --source FOLDER_OR_ZIP_OF_ML_LATEST_SMALL [--group-size 4] [--records 16]
        [--hinted] [--history-len 15] [--model NAME_OR_FOLDER | --shapes FOLDER_WITH_CONFIG_AND_TOKENIZER]

Every round times forward and backward of one optimizer step, the one with the median saving of an epoch; laying out is
included, and AdamW, the same for all, is left out. All contestants compute the same loss of the same records; it is
compared in every round. TRL computes loss at the completion only, on batches of two records of like length, so that it
pads as little as it can, or with its `bfd` packing if that is right without FlashAttention, and faster. On a CPU it
computes logits at every position, so a fourth contestant computes TRL's own batches with the head where there is a loss
alone: what the tree gains over that is its own. Prints how many times faster the tree is, last.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks import common
from benchmarks.common import PADDED, TREE, TRL, Bench, Row
from likely.data.protocol import SplitProtocol
from likely.encoding.batches import Layout
from likely.encoding.order import shuffled
from likely.encoding.prompt import EncodedRecord
from likely.model.adapter import base_model
from likely.model.forward import head_only_at
from likely.training.trainer import AnswerTrainer

BARS = {PADDED: 6, TRL: 8}
SAME_HEAD = "TRL's batches, head at answers only"


def arguments_parser() -> argparse.ArgumentParser:
    parser = common.model_parser(__doc__)
    parser.add_argument("--group-size", type=int, default=4)
    parser.add_argument("--records", type=int, default=16, help="of the step")
    parser.add_argument("--hinted", action="store_true", help="records with short hints, and candidates as lines")
    parser.add_argument("--history-len", type=int, default=15, help="movies of a history, and up to twice as many")
    return parser


def main() -> None:
    arguments = arguments_parser().parse_args()
    ours = common.load_bench(arguments.model, arguments.shapes)
    theirs = common.load_bench(arguments.model, arguments.shapes, own_attention=False, own_product=False)
    with tempfile.TemporaryDirectory() as scratch:
        hinted = dict.fromkeys(("hints", "short_hints", "candidate_line"), arguments.hinted)
        protocol = SplitProtocol(history_length=arguments.history_len, **hinted)
        data = common.prepared(arguments.source, Path(scratch), protocol)
        step = common.training_step(ours.builder, data, arguments.group_size, arguments.records)
        best_trl, choice = best_of_trl(theirs, step, Path(scratch))
        contestants: dict[str, Callable[[int], float]] = {
            TREE: own_step(ours, step, "tree", Path(scratch)),
            PADDED: own_step(ours, step, "padded", Path(scratch)),
            TRL: best_trl,
            SAME_HEAD: trl_step(theirs, step, Path(scratch), choice.startswith("`bfd`"), head_at_answers=True),
        }
        seconds = common.alternate(contestants, arguments.rounds)
    rows = rows_of(seconds, ours, arguments, choice)
    details = {
        "settings": {"model": ours.name, "group_size": arguments.group_size, "records": len(step)},
        "tokens": {"alone": sum(len(record.input_ids) for record in step), "saving": round(common.saving(step), 2)},
        "seconds": common.rounded(seconds),
    }
    command = common.command_line("training_throughput", arguments, "group_size", "records", "history_len")
    command += " --hinted" if arguments.hinted else ""
    name = f"training-throughput-{common.model_name(arguments)}{'-hinted' if arguments.hinted else ''}"
    name += f"-groups-of-{arguments.group_size}"
    common.save(name, "training examples a second", command, rows, details)
    common.print_result(common.spread_table(seconds, len(step), "examples", TRL), rows)


def own_step(bench: Bench, step: list[EncodedRecord], layout: Layout, folder: Path) -> Callable[[int], float]:
    """Return a function that lays the step out and runs it forward and backward, by the trainer of `likely train`."""
    from transformers import TrainingArguments

    plan = bench.plan(layout)
    trainer = AnswerTrainer(
        train_records=step,
        eval_records=(),
        order=shuffled(len(step), 0),
        step_plan=plan,
        eval_plan=plan,
        metrics_of=lambda answers: {},
        model=bench.model,
        args=TrainingArguments(
            output_dir=str(folder / layout),
            per_device_train_batch_size=len(step),
            report_to="none",
            use_cpu=True,
        ),
    )

    def run(turn: int) -> float:
        loss = trainer.training_step(bench.model, trainer.lay_out_step(list(range(len(step)))))
        bench.model.zero_grad()
        return loss.item()

    return run


def trl_step(
    bench: Bench,
    step: list[EncodedRecord],
    folder: Path,
    packing: bool,
    batch_size: int = 2,
    head_at_answers: bool = False,
) -> Callable[[int], float]:
    """Return a function that runs the step as SFTTrainer does, batch by batch from its own data loader's parts.

    With `head_at_answers` the batches are TRL's, and the loss is computed as ours is.
    """
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    by_length = sorted(step, key=lambda record: len(record.input_ids))
    trainer = SFTTrainer(
        model=bench.model,
        args=SFTConfig(
            output_dir=str(folder / f"trl-{packing}"),
            completion_only_loss=True,
            packing=packing,
            max_length=common.CUTOFF,
            per_device_train_batch_size=batch_size,
            gradient_accumulation_steps=max(len(step) // batch_size, 1),
            gradient_checkpointing=False,
            bf16=False,
            use_cpu=True,
            report_to="none",
            disable_tqdm=True,
        ),
        train_dataset=Dataset.from_list(common.trl_rows(by_length)),
        processing_class=bench.builder.tokenizer,
    )
    assert trainer.train_dataset is not None
    prepared_rows = list(trainer.train_dataset)
    size = 1 if packing else batch_size
    answers = sum(len(record.answer) for record in step)

    def run(turn: int) -> float:
        bench.model.train()
        total = 0.0
        for start in range(0, len(prepared_rows), size):
            batch = trainer.data_collator(prepared_rows[start : start + size])
            if head_at_answers:
                total += loss_at_answers(bench, batch, answers)
            else:
                total += trainer.training_step(bench.model, batch, torch.tensor(answers)).item()
        bench.model.zero_grad()
        return total

    return run


def loss_at_answers(bench: Bench, batch: dict[str, torch.Tensor], answers: int) -> float:
    """Run one of TRL's batches forward and backward, with logits only where a label is; return its part of the loss."""
    labels = batch.pop("labels")
    rows, columns = (labels[:, 1:] != -100).nonzero(as_tuple=True)
    with head_only_at(base_model(bench.model).get_output_embeddings(), rows, columns):
        logits = bench.model(**batch, use_cache=False).logits
    targets = labels[rows, columns + 1]
    loss = torch.nn.functional.cross_entropy(logits, targets, reduction="sum") / answers
    loss.backward()
    return loss.item()


def best_of_trl(bench: Bench, step: list[EncodedRecord], folder: Path) -> tuple[Callable[[int], float], str]:
    """Return TRL's step, padded or packed, whichever is right and faster here, and a sentence on the choice."""
    padded, packed = (trl_step(bench, step, folder, packing) for packing in (False, True))
    right, padded_seconds = timed(padded)
    found, packed_seconds = timed(packed)
    if abs(found - right) > 1e-3 * abs(right):
        return padded, f"its `bfd` packing is wrong here: its loss is {found:.4f} where {right:.4f} is right"
    faster = f"`bfd` packing took {packed_seconds / padded_seconds:.2f} of its padded time"
    return (packed, faster) if packed_seconds < padded_seconds else (padded, f"padded; its {faster}")


def timed(run: Callable[[int], float]) -> tuple[float, float]:
    """Return what a call returns, and its seconds."""
    started = time.perf_counter()
    return run(0), time.perf_counter() - started


def rows_of(seconds: dict[str, list[float]], bench: Bench, arguments: argparse.Namespace, choice: str) -> list[Row]:
    """Return the table's rows of this run."""
    groups = f"{bench.name}, groups of up to {arguments.group_size}"
    if arguments.hinted:
        groups += f" in steps of {arguments.records}, short hints, histories from {arguments.history_len} movies on"
    rate = common.rate(seconds, TREE, arguments.records)
    notes = {PADDED: f"{groups}; {rate:.2f} examples/s", TRL: f"{groups}; TRL {choice}"}
    rows = [
        common.faster_row(
            f"training examples/s, tree against {slow}", common.ratio(seconds, slow, TREE), BARS[slow], note
        )
        for slow, note in notes.items()
    ]
    own = f"{common.ratio(seconds, SAME_HEAD, TREE):.1f}x"
    return [*rows, Row(f"training examples/s, tree against {SAME_HEAD}", "", own, None, groups)]


if __name__ == "__main__":
    main()
