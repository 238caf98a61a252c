"""The same records through TRL's SFTTrainer."""

from importlib.util import find_spec

from benchmarks import common
from benchmarks.gpu_acceptance.ground import STEP, Ground
from likely.encoding.order import steps_of
from likely.encoding.prompt import EncodedRecord
from likely.model.attention import look_around
from likely.model.base import Precision


def trl(ground: Ground) -> None:
    """Say how many records a second it trains on, in batches of several sizes, and packed where FlashAttention is.

    Without it TRL's packed records see each other.
    """
    missing = [name for name in ("trl", "datasets") if find_spec(name) is None]
    if missing:
        ground.say("trl", left_out=f"{' and '.join(missing)} not installed")
        return
    encoded = ground.records("train", ground.size(2000, 40))
    steps = steps_of(ground.order(encoded)(0), STEP)[: ground.size(16, 1)]
    records = [encoded[index] for step in steps for index in step][: ground.size(16 * STEP, 4)]
    for batch in (2, 8, STEP) if ground.on_gpu else (2,):
        train(ground, records, batch, "sdpa")
    if ground.on_gpu and "flash_attention_2" in look_around("packed", half_precision=True).installed:
        train(ground, records, 2, "flash_attention_2")


def train(ground: Ground, records: list[EncodedRecord], batch: int, attention: str) -> None:
    """Train with SFTTrainer twice, and say how fast the second time was."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    packing = attention != "sdpa"
    arguments = SFTConfig(
        output_dir=str(ground.out / "trl"),
        completion_only_loss=True,
        packing=packing,
        max_length=common.CUTOFF,
        per_device_train_batch_size=batch,
        gradient_accumulation_steps=STEP // batch,
        gradient_checkpointing=False,
        bf16=ground.on_gpu,
        use_cpu=not ground.on_gpu,
        num_train_epochs=1,
        report_to="none",
        disable_tqdm=True,
        logging_steps=1000,
        save_strategy="no",
    )
    model = ground.model(Precision("bfloat16" if ground.on_gpu else "float32", False), attention)
    trainer = SFTTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_list(common.trl_rows(records)),
        processing_class=ground.builder.tokenizer,
    )
    seconds = ground.seconds(trainer.train)
    ground.say(
        "trl", batch=batch, packing=packing, records_s=round(len(records) / seconds, 2), peak_gib=ground.peak_gib()
    )
