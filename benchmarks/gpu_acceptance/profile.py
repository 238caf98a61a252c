"""What a step is made of: kernels, the time that the GPU is busy, and how often the process waits for it."""

import time
import warnings
from importlib.util import find_spec

import torch
from torch.profiler import ProfilerActivity
from torch.profiler import profile as profiled

from benchmarks.gpu_acceptance.ground import Ground
from benchmarks.gpu_acceptance.speed import Variant, step_seconds, trainer_for
from likely.encoding.order import steps_of
from likely.training.trainer import AnswerTrainer

PROFILED = (
    Variant("LoRA", dropout=0.05),
    Variant("LoRA, compiled", compiled=True),
    Variant("QLoRA", four_bit=True, dropout=0.05),
)


def profile(ground: Ground) -> None:
    """Profile the fourth step of a training and leave the table of its kernels in a file."""
    encoded = ground.records("train", ground.size(2000, 40))
    for variant in PROFILED if ground.on_gpu else [Variant("LoRA", records=2)]:
        order = ground.order(encoded, variant.records)
        steps = steps_of(order(0), variant.records)[: ground.size(4, 2)]
        if variant.four_bit and find_spec("bitsandbytes") is None:
            ground.say("profile", name=variant.name, left_out="bitsandbytes is not installed")
            continue
        trainer = trainer_for(ground, variant, encoded, order)
        for indices in steps[:-1]:
            step_seconds(trainer, indices)
        if ground.on_gpu:
            ground.say("profile", name=variant.name, waits_a_step=waits(trainer, steps[-1]))
        say_profile(ground, variant, trainer, steps[-1])


def waits(trainer: AnswerTrainer, indices: list[int]) -> int:
    """Return how often a step waits for the GPU."""
    torch.cuda.set_sync_debug_mode("warn")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        step_seconds(trainer, indices)
    torch.cuda.set_sync_debug_mode("default")
    return len(caught)


def say_profile(ground: Ground, variant: Variant, trainer: AnswerTrainer, indices: list[int]) -> None:
    """Say how many kernels a step starts and how long the GPU is busy with them."""
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if ground.on_gpu else [])]
    ground.wait()
    started = time.perf_counter()
    with profiled(activities=activities) as trace:
        step_seconds(trainer, indices)
        ground.wait()
    wall = time.perf_counter() - started
    events = trace.key_averages()
    kernels = [event for event in trace.events() if event.device_type == torch.autograd.DeviceType.CUDA]
    busy = sum(event.device_time for event in kernels) / 1e6
    ground.say(
        "profile", name=variant.name, kernels=len(kernels), busy_s=round(busy, 4), wall_s=round(wall, 4),
        operations=sum(event.count for event in events),
    )  # fmt: skip
    order = "self_cuda_time_total" if ground.on_gpu else "self_cpu_time_total"
    path = ground.out / f"profile-{variant.name.replace(', ', '-').lower()}.txt"
    path.write_text(events.table(sort_by=order, row_limit=40), encoding="utf-8")
