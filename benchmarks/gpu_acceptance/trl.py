"""The same records through TRL's SFTTrainer."""

from importlib.util import find_spec
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import TrainerCallback

from benchmarks import common
from benchmarks.gpu_acceptance.ground import GROUP, SEED, STEP, Ground
from benchmarks.gpu_acceptance.speed import FULL_GROUP, first_steps
from likely.encoding.prompt import EncodedRecord
from likely.model.attention import look_around
from likely.model.base import load_base

SHAPES = ((STEP, GROUP), (64, FULL_GROUP))
"""Records of a step, and of a group, of the steps of `speed` whose records are trained on."""

BATCHES = (16, 32, 8, 2)


def trl(ground: Ground) -> None:
    """Say how many records a second it trains on, in batches of several sizes, and packed where FlashAttention is.

    Without it TRL's packed records see each other.
    """
    missing = [name for name in ("trl", "datasets") if find_spec(name) is None]
    if missing:
        ground.say("trl", left_out=f"{' and '.join(missing)} not installed")
        return
    encoded = ground.records("train", ground.size(6000, 40))
    wanted: dict[str, tuple[int, int, int, str]] = {}
    for batch in BATCHES if ground.on_gpu else (2,):
        for records, group in SHAPES if ground.on_gpu else ((4, GROUP),):
            if batch <= records:
                about = f"{batch} records a batch, those of steps of {records}"
                wanted[about] = (records, group, batch, "sdpa")
    if ground.on_gpu and "flash_attention_2" in look_around("packed", half_precision=True).installed:
        wanted |= {f"packed, those of steps of {records}": (records, group, 2, "flash_attention_2")
                   for records, group in SHAPES}  # fmt: skip
    for records, group, batch, attention in ground.while_time("trl", wanted):
        with ground.reporting("trl", records=records, group=group, batch=batch):
            rows = [encoded[index] for step in first_steps(ground, encoded, records, group) for index in step]
            train(ground, rows, records, group, batch, attention)


class SecondEpoch(TrainerCallback):
    """Cuts the first epoch short, which warms up, and times the second."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.seconds = 0.0

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        control.should_epoch_stop = state.epoch < 1 and state.global_step >= 2

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.began = self.ground.now()

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.seconds = self.ground.now() - self.began


def train(ground: Ground, rows: list[EncodedRecord], records: int, group: int, batch: int, attention: str) -> None:
    """Train with SFTTrainer, and say how fast an epoch was, with peft's own layers and lengths grouped by TRL."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    packing = attention != "sdpa"
    arguments = SFTConfig(
        output_dir=str(ground.out / "trl"),
        completion_only_loss=True,
        packing=packing,
        max_length=common.CUTOFF,
        per_device_train_batch_size=batch,
        gradient_accumulation_steps=records // batch,
        gradient_checkpointing=False,
        train_sampling_strategy="random" if packing else "group_by_length",
        bf16=ground.on_gpu,
        use_cpu=not ground.on_gpu,
        num_train_epochs=2,
        report_to="none",
        disable_tqdm=True,
        logging_steps=1000,
        save_strategy="no",
    )
    ground.tidy()
    base = load_base(str(ground.base), ground.precision, attention, in_blocks=False)
    torch.manual_seed(SEED)
    adapter = LoraConfig(r=16, lora_alpha=64, target_modules=list(common.TARGETS), task_type="CAUSAL_LM")
    timer = SecondEpoch(ground)
    trainer = SFTTrainer(
        model=get_peft_model(base, adapter),
        args=arguments,
        train_dataset=Dataset.from_list(common.trl_rows(rows)),
        processing_class=ground.builder.tokenizer,
        callbacks=[timer],
    )
    trainer.train()
    ground.say(
        "trl", records=records, group=group, batch=batch, packing=packing, rows=len(rows),
        records_s=round(len(rows) / timer.seconds, 2), peak_gib=ground.peak_gib(),
    )  # fmt: skip
