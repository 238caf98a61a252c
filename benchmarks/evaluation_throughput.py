"""Evaluation rows a second with all metrics: the tree, and TRL's `evaluate` with `compute_metrics`, on the same rows.

    python -m benchmarks.evaluation_throughput --source FOLDER_OR_ZIP_OF_ML_LATEST_SMALL [--rows 40]
        [--model NAME_OR_FOLDER | --shapes FOLDER_WITH_CONFIG_AND_TOKENIZER]

Rows are evaluation rows of whole users, as `max_eval_samples` takes them. TRL gets them sorted by length in batches of
16 and reduces its logits to those of the answer at once (`preprocess_logits_for_metrics`), because those of all
positions would not fit into memory. Both give the same AUC and loss, which are compared in every round. Prints how
many times faster the tree is, last.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import common
from benchmarks.common import Bench
from likely.data.records import Labels, read_records
from likely.data.run_data import subset_of_users
from likely.encoding.prompt import EncodedRecord
from likely.evaluation.metrics import answer_metrics
from likely.model.adapter import base_model
from likely.model.answers import Answers
from likely.model.scoring import score

TREE, TRL = "tree", "TRL evaluate"
BAR = 5


def arguments_parser() -> argparse.ArgumentParser:
    parser = common.model_parser(__doc__)
    parser.add_argument("--rows", type=int, default=40)
    return parser


def main() -> None:
    arguments = arguments_parser().parse_args()
    ours = common.load_bench(arguments.model, arguments.shapes)
    theirs = common.load_bench(arguments.model, arguments.shapes, own_attention=False, own_product=False)
    with tempfile.TemporaryDirectory() as scratch:
        data = common.prepared(arguments.source, Path(scratch) / "data")
        records = subset_of_users(read_records(data / "eval.json", Labels()), arguments.rows, seed=42)
        encoded = sorted(ours.builder.encode_all(records), key=lambda record: len(record.input_ids))
        contestants = {TREE: own_evaluation(ours, encoded), TRL: trl_evaluation(theirs, encoded, Path(scratch))}
        seconds = common.alternate(contestants, arguments.rounds)
    note = f"{ours.name}, {len(encoded)} rows of whole users; {common.rate(seconds, TREE, len(encoded)):.2f} rows/s"
    figure = "evaluation with all metrics, tree against TRL `compute_metrics`"
    rows = [common.faster_row(figure, common.ratio(seconds, TRL, TREE), BAR, note)]
    command = common.command_line("evaluation_throughput", arguments, "rows")
    details = {"settings": {"model": ours.name, "rows": len(encoded)}, "seconds": common.rounded(seconds)}
    name = f"evaluation-throughput-{common.model_name(arguments)}"
    common.save(name, "evaluation rows a second", command, rows, details)
    common.print_result(common.spread_table(seconds, len(encoded), "rows", TRL), rows)


def own_evaluation(bench: Bench, encoded: list[EncodedRecord]) -> Callable[[int], float]:
    """Return a function that evaluates as a training run does."""
    plan = bench.plan("tree")

    def run(turn: int) -> float:
        metrics = answer_metrics(score(bench.model, base_model(bench.model), encoded, plan))
        return metrics["loss"] + metrics["auc"]

    return run


def trl_evaluation(bench: Bench, encoded: list[EncodedRecord], folder: Path) -> Callable[[int], float]:
    """Return a function that evaluates as SFTTrainer does, with our metrics as its `compute_metrics`."""
    import torch
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    yes, no = bench.builder.positive_ids[0], bench.builder.negative_ids[0]
    liked = np.array([record.liked for record in encoded])

    def at_the_answer(logits: Any, labels: Any) -> Any:
        rows = torch.arange(len(labels))
        places = (labels != -100).int().argmax(dim=1) - 1
        first = logits[rows, places].float()
        pair = first[:, [yes, no]]
        right = torch.where(labels[rows, places + 1] == yes, pair[:, 0], pair[:, 1])
        whole = first.logsumexp(dim=-1)
        mass = (pair.logsumexp(dim=-1) - whole).exp()
        likeliest = first.argmax(dim=-1)
        said = [(likeliest == yes).float(), (likeliest == no).float(), mass, whole - right]
        return torch.stack([pair.softmax(dim=-1)[:, 0], *said], dim=1)

    def metrics(prediction: Any) -> dict[str, float]:
        p_yes, says_yes, says_no, mass, loss = prediction.predictions.T.astype(float)
        return answer_metrics(Answers(liked, p_yes, says_yes > 0, says_no > 0, mass, loss))

    arguments = SFTConfig(
        output_dir=str(folder / "trl"),
        completion_only_loss=True,
        max_length=common.CUTOFF,
        per_device_eval_batch_size=16,
        bf16=False,
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
        gradient_checkpointing=False,
    )
    data = Dataset.from_list(common.trl_rows(encoded))
    trainer = SFTTrainer(
        model=bench.model,
        args=arguments,
        train_dataset=data,
        eval_dataset=data,
        processing_class=bench.builder.tokenizer,
        compute_metrics=metrics,
        preprocess_logits_for_metrics=at_the_answer,
    )

    def run(turn: int) -> float:
        found = trainer.evaluate()
        return float(found["eval_loss"] + found["eval_auc"])

    return run


if __name__ == "__main__":
    main()
