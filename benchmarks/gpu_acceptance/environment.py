"""What the other figures are relative to: versions, and the rates of the device."""

import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

import torch

from benchmarks.gpu_acceptance.ground import Ground
from likely.model.cuda import ready_cuda

PACKAGES = (
    "likely", "torch", "transformers", "peft", "accelerate", "bitsandbytes", "triton", "trl", "datasets", "flash_attn",
)  # fmt: skip


def env(ground: Ground) -> None:
    """Say what is installed, and how fast the device multiplies, copies, starts kernels and meets new shapes."""
    versions = {}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    ready = ready_cuda()
    name = torch.cuda.get_device_name() if ready else None
    ground.say("env", gpu=name, versions=versions, python=sys.version.split()[0])
    ground.say("env", matrix_tflops=round(ground.matrix_rate() / 1e12, 3))
    here, there = (torch.empty(ground.size(2**30, 2**10), device=ground.device, dtype=torch.uint8) for _ in range(2))
    copying = ground.seconds(lambda: there.copy_(here), ground.size(20, 1))
    ground.say("env", copy_tb_s=round(2 * len(here) / copying / 1e12, 4))
    few, launches = torch.ones(8, device=ground.device), ground.size(1000, 2)
    ground.say(
        "env", launch_us=round(ground.seconds(lambda: [few.add_(1) for _ in range(launches)]) / launches * 1e6, 2)
    )
    for cudnn in (True, False) if ready else (False,):
        with ground.reporting("env", cudnn=cudnn):
            say_price_of_shapes(ground, cudnn)


def say_price_of_shapes(ground: Ground, cudnn: bool) -> None:
    """Say what attention under a mask costs in shapes that are new, and again in the same ones."""
    first = ground.size(601, 9)
    widths = range(first, first + ground.size(8, 2))

    def attend(width: int) -> None:
        query = torch.randn(2, 16, width, 128, device=ground.device, dtype=torch.bfloat16, requires_grad=True)
        mask = torch.ones(2, 1, width, width, dtype=torch.bool, device=ground.device).tril()
        torch.nn.functional.scaled_dot_product_attention(query, query, query, attn_mask=mask).sum().backward()

    torch.backends.cuda.enable_cudnn_sdp(cudnn)
    try:
        for shapes in ("new", "seen"):
            spent = sorted(ground.seconds_once(lambda width=width: attend(width)) for width in widths)
            ground.say("env", cudnn=cudnn, shapes=shapes, attention_ms_median=round(spent[len(spent) // 2] * 1e3, 3))
    finally:
        torch.backends.cuda.enable_cudnn_sdp(False)
