"""What the figures of a benchmark depend on: processor, cores, GPU and versions; `common` writes it into results."""

import os
import platform
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    import torch

    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "gpu": gpu(),
        "python": platform.python_version(),
    }


def processor() -> str:
    """Return the processor's name, as far as the system tells."""
    path = Path("/proc/cpuinfo")
    named = [line for line in path.read_text().splitlines() if line.startswith("model name")] if path.exists() else []
    return named[0].partition(":")[2].strip() if named else platform.machine()


def gpu() -> str | None:
    """Return the name of the CUDA GPU, if there is one."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None
