"""A command of likely in a process that may take so much of the GPU's memory: prints what it took, last.

python -m benchmarks.gpu_acceptance.capped SHARE train --config NAME ...
"""

import json
import sys

import torch

from likely.cli import run


def main() -> None:
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_per_process_memory_fraction(float(sys.argv[1]))
    status = run(sys.argv[2:])
    peaks = (torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()) if on_gpu else ()
    print(json.dumps([round(peak / 2**30, 2) for peak in peaks]))
    sys.exit(status)


if __name__ == "__main__":
    main()
