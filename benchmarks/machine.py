"""What the figures of a benchmark depend on: processor, cores, GPU, versions, commit; `common` keeps it in results."""

import os
import platform
import subprocess
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

VERSIONS = ("likely", "torch", "transformers", "peft", "trl", "tokenizers")


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


def versions() -> dict[str, str]:
    """Return the versions that the figures depend on."""
    return {name: version(name) for name in VERSIONS if find_spec(name)}


def commit() -> str | None:
    """Return the commit that is measured, with a `+` where code differs from it; None outside of a clone."""
    try:
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", "src", "benchmarks/*.py")
        return _git("rev-parse", "--short=7", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*words: str) -> str:
    root = Path(__file__).parents[1]
    return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True).stdout.strip()
