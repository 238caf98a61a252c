"""What a step is made of: kernels, the time that the GPU is busy, and how often the process waits for it."""

import statistics
import warnings
from dataclasses import replace
from importlib.util import find_spec

import torch
from torch.profiler import ProfilerActivity
from torch.profiler import profile as profiled

from benchmarks.gpu_acceptance.ground import GROUP, Ground
from benchmarks.gpu_acceptance.speed import FULL_GROUP, LARGE, Variant, first_steps, step_seconds, trainer_for
from likely.encoding.prompt import EncodedRecord
from likely.training.trainer import AnswerTrainer

PROFILED = (
    Variant("LoRA", dropout=0.05, groups=(GROUP,)),
    replace(LARGE, name="LoRA, 64 records", groups=(FULL_GROUP,)),
    Variant("QLoRA", four_bit=True, dropout=0.05, groups=(GROUP,)),
    replace(LARGE, name="LoRA, 64 records, compiled", compiled=True, groups=(FULL_GROUP,)),
)


def profile(ground: Ground) -> None:
    """Profile a step of a training and leave the table of its kernels in a file."""
    encoded = ground.records("train", ground.size(6000, 40))
    variants = PROFILED if ground.on_gpu else (Variant("LoRA", records=2, groups=(GROUP,)),)
    for variant in ground.while_time("profile", {variant.name: variant for variant in variants}):
        if variant.four_bit and find_spec("bitsandbytes") is None:
            ground.say("profile", name=variant.name, left_out="bitsandbytes is not installed")
            continue
        with ground.reporting("profile", name=variant.name):
            profile_variant(ground, variant, encoded)
        torch._dynamo.reset()


def profile_variant(ground: Ground, variant: Variant, encoded: list[EncodedRecord]) -> None:
    """Take some steps to warm up, the last one again to time it, and once more under the profiler."""
    steps = first_steps(ground, encoded, variant.records, variant.groups[0])[: ground.size(5, 2)]
    trainer = trainer_for(ground, variant, encoded)
    for indices in steps:
        step_seconds(trainer, indices)
    times = ground.size(5, 1)
    plain = statistics.median(step_seconds(trainer, steps[-1])[0] for _ in range(times))
    if ground.on_gpu:
        ground.say("profile", name=variant.name, waits_a_step=waits(trainer, steps[-1]))
    say_profile(ground, variant, trainer, steps[-1], plain)


def waits(trainer: AnswerTrainer, indices: list[int]) -> int:
    """Return how often a step waits for the GPU."""
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            step_seconds(trainer, indices)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(warning.message) for warning in caught)


def say_profile(ground: Ground, variant: Variant, trainer: AnswerTrainer, indices: list[int], plain: float) -> None:
    """Say how many kernels a step starts, and how long the GPU is busy with them of a step that is not profiled."""
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if ground.on_gpu else [])]
    began = ground.now()
    with profiled(activities=activities) as trace:
        step_seconds(trainer, indices)
        ground.wait()
    wall = ground.now() - began
    events = trace.key_averages()
    on_device = torch.autograd.DeviceType.CUDA
    # Regions that somebody named are on the GPU's track too, over the kernels that they hold.
    kernels = [e for e in trace.events() if e.device_type == on_device and not e.is_user_annotation]
    busy = sum(kernel.time_range.elapsed_us() for kernel in kernels) / 1e6
    ground.say(
        "profile", name=variant.name, records=variant.records, group=variant.groups[0], kernels=len(kernels),
        busy_ms=round(1e3 * busy, 2), step_ms=round(1e3 * plain, 2), busy_share=round(busy / plain, 3),
        profiled_ms=round(1e3 * wall, 2), operations=sum(event.count for event in events),
    )  # fmt: skip
    order = "self_device_time_total" if ground.on_gpu else "self_cpu_time_total"
    path = ground.out / f"profile-{variant.name.replace(', ', '-').replace(' ', '-').lower()}.txt"
    path.write_text(events.table(sort_by=order, row_limit=40), encoding="utf-8")
