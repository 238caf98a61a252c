"""Whether a model that is trained past counting's answers adds to them, with all training records on one GPU.

    python -m benchmarks.offset_training --model MODEL --data DATA --output OUTPUT --seconds 270

DATA holds `plain` and `hints`, as `likely prepare` and `likely prepare --hints` write them in Parquet, and the file
`counting.parquet` of `offset_counting`. Each run of `--runs` is a process of its own, all at the same time, and leaves
`NAME.parquet` with what it says of every eval and test row, half-way and in the end. `offset_worth` reads these.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from transformers import TrainerCallback

import likely
from likely.config.run_config import RunConfig
from likely.data.records import Labels, read_records
from likely.encoding.batches import Budget
from likely.encoding.prompt import PromptBuilder
from likely.model.adapter import base_model
from likely.model.base import attention_share, load_tokenizer
from likely.model.families import width_multiple
from likely.model.runtime import keep_freed_memory
from likely.model.scoring import PassPlan, score
from likely.sources.catalogue import resolve_model
from likely.training.callbacks import Clock, StopAfter
from likely.training.offsets import Offsets

HELD_OUT = ("eval", "test")


@dataclass(frozen=True)
class Run:
    """One way to train: on which records, and whether past counting."""

    data: str
    is_offset: bool


WAYS = {
    "offset": Run("plain", True),
    "offset-hints": Run("hints", True),
    "usual": Run("plain", False),
    "usual-hints": Run("hints", False),
}
RUNS = ("offset-1", "offset-hints-1", "offset-2", "offset-hints-2", "usual-1", "usual-hints-1")


def arguments_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="folder or name of the base model")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--runs", nargs="+", default=list(RUNS), help="way and seed, as offset-hints-2")
    parser.add_argument("--seconds", type=float, default=270, help="until all is written")
    parser.add_argument("--reserve", type=float, default=30, help="of these seconds, for the last answers")
    parser.add_argument("--learning-rates", type=float, nargs="+", default=[8e-4, 4e-4], help="of seed 1, 2, ...")
    parser.add_argument("--step-size", type=int, default=64, help="records of a step")
    parser.add_argument("--group-size", type=int, default=15)
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--pass-tokens", type=int, default=8192, help="the processes share the memory of the GPU")
    parser.add_argument("--score-tokens", type=int, default=16384, help="of a pass that only answers")
    parser.add_argument("--most-records", type=int, help="for a trial: training records, and rows to answer")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--begun", type=float, default=time.time(), help="second of the epoch from which they count")
    parser.add_argument("--only", help="the name of one run, to train it in this process")
    return parser


def main() -> None:
    arguments = arguments_parser().parse_args()
    if arguments.only:
        train_one(arguments)
        return
    arguments.output.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"OMP_NUM_THREADS": str(arguments.threads), "TOKENIZERS_PARALLELISM": "false"}
    runs = {}
    for name in arguments.runs:
        given = [*sys.argv[1:], "--begun", str(arguments.begun), "--only", name]
        command = [sys.executable, "-m", "benchmarks.offset_training", *given]
        with (arguments.output / f"{name}.log").open("wb") as log:
            runs[name] = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
    failed = [name for name, run in runs.items() if run.wait()]
    for name in arguments.runs:
        lines = (arguments.output / f"{name}.log").read_text(errors="replace").splitlines()
        print(f"{name}:", *lines[-4:], sep="\n  ", flush=True)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


@dataclass(frozen=True)
class Told:
    """Says what happens, and when, in seconds from the beginning of all runs."""

    begun: float

    def seconds(self) -> float:
        return time.time() - self.begun

    def __call__(self, *texts: str) -> None:
        print(f"{self.seconds():6.1f} s ", *texts, flush=True)


def train_one(arguments: argparse.Namespace) -> None:
    """Train in one way with one seed, and leave what it says of eval and test rows."""
    keep_freed_memory()
    told = Told(arguments.begun)
    told("libraries are loaded")
    way, _, seed = arguments.only.rpartition("-")
    run, data = WAYS[way], arguments.data / WAYS[way].data
    rates = arguments.learning_rates
    with tempfile.TemporaryDirectory() as scratch:
        config = RunConfig(
            model_name_or_path=arguments.model,
            dataset=None,
            train_file=str(data / "train.parquet"),
            eval_strategy="no",
            max_samples=arguments.most_records,
            output_dir=scratch,
            report_to="none",
            logging_steps=25,
            save_steps=1_000_000,
            per_device_train_batch_size=arguments.step_size,
            gradient_accumulation_steps=1,
            group_size=arguments.group_size,
            pass_tokens=arguments.pass_tokens,
            num_train_epochs=arguments.epochs,
            learning_rate=rates[min(int(seed), len(rates)) - 1],
            dtype=arguments.dtype,
            lora_dropout=0,
            seed=int(seed),
        )
        watch = Watch(arguments, data, config, told)
        offsets = training_offsets(arguments.data, run.data) if run.is_offset else None
        told("eval and test rows are encoded")
        likely.train(config, [StopBy(arguments.seconds - arguments.reserve, told), watch], told, offsets=offsets)
    told("done")


def training_offsets(data: Path, name: str) -> Offsets:
    """Return counting's out-of-fold log-odds, less what the untrained model says of a record on average.

    The sum then begins near counting's loss.
    """
    counted = pl.read_parquet(data / "counting.parquet").filter(pl.col("split") == "train")
    asked = pl.read_parquet(data / name / "train.parquet", columns=["user_id", "item_id"]).cast(pl.String)
    assert asked.equals(counted.select(asked.columns)), "counting.parquet is of other records"
    start = json.loads((data / "start.json").read_text())[name]
    return Offsets(counted["offset"].to_numpy() - np.float32(start))


class StopBy(StopAfter):
    """Ends training by some second of the process, whatever came before the first step."""

    def __init__(self, seconds: float, told: Told) -> None:
        super().__init__(1.0, Clock())
        self.end, self.told = seconds, told

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.clock, self.seconds = Clock(), max(self.end - self.told.seconds(), 1.0)
        self.told(f"the first of {state.max_steps} steps, {self.seconds:.0f} s to go")
        super().on_train_begin(args, state, control, **kwargs)


class Watch(TrainerCallback):
    """Lets the model answer all eval and test rows half-way and in the end, and writes that at once."""

    def __init__(self, arguments: argparse.Namespace, data: Path, config: RunConfig, told: Told) -> None:
        files = {split: data / f"{split}.parquet" for split in HELD_OUT}
        parts = {split: read_records(path, Labels())[: arguments.most_records] for split, path in files.items()}
        records = [record for split in HELD_OUT for record in parts[split]]
        builder = PromptBuilder(load_tokenizer(resolve_model(arguments.model).location), Labels(), config.cutoff_len)
        self.encoded = builder.encode_all(records)
        self.table = pl.DataFrame(
            {
                "split": [split for split in HELD_OUT for _ in parts[split]],
                "user_id": [record.user_id for record in records],
                "item_id": [record.item_id for record in records],
            }
        )
        self.first_tokens = builder.first_tokens
        self.tokens = arguments.score_tokens
        self.path = arguments.output / f"{arguments.only}.parquet"
        self.seconds = arguments.seconds - arguments.reserve
        self.told, self.began, self.is_half = told, 0.0, False

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.began = self.told.seconds()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        spent = (self.told.seconds() - self.began) / (self.seconds - self.began)
        if not self.is_half and max(spent, state.global_step / state.max_steps) >= 0.5:
            self.is_half = True
            self.answer(kwargs["model"], "half", state.global_step)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.answer(kwargs["model"], "end", state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        self.told(f"step {state.global_step}: {logs}")

    def answer(self, model: torch.nn.Module, when: str, step: int) -> None:
        """Write the model's logit(Yes) - logit(No) of every eval and test row."""
        inner = base_model(model)
        budget = Budget(self.tokens, attention_share(inner), width_multiple(inner))
        answers = score(model, inner, self.encoded, PassPlan("tree", budget, self.first_tokens))
        p_yes = answers.p_yes.clip(1e-12, 1 - 1e-12)
        self.table = self.table.with_columns(pl.Series(when, np.log(p_yes / (1 - p_yes)), pl.Float32))
        self.table.write_parquet(self.path)
        loss = float(answers.loss.mean())
        self.told(f"answered {len(answers):,} rows after step {step}; loss over the vocabulary {loss:.4f}")


if __name__ == "__main__":
    main()
