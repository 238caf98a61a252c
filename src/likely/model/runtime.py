"""Makes this process ready to run a model; `cli` calls it before any verb that does."""

import ctypes
import logging
import os
import platform
import warnings


def ready_process() -> None:
    """Keep memory for reuse, and silence the bars and notices of libraries; ours say what a user needs."""
    import transformers

    keep_freed_memory()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    for name in ("huggingface_hub", "bitsandbytes"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning)


M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
"""Parameters of glibc's mallopt(3), from its malloc.h."""


def keep_freed_memory() -> bool:
    """Tell glibc to keep freed memory for the next tensor instead of giving it back to the kernel.

    A forward and backward pass frees and takes the same gigabytes again and again. Memory that was
    given back has to be mapped and zeroed anew, page by page, which cost up to half of the time of
    a training step on two cores.

    Returns:
        Whether this C library was told; others are left alone.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: 2**31 - 1, M_TOP_PAD: 64 << 20}
    accepted = [mallopt(parameter, value) for parameter, value in settings.items()]
    return all(accepted)
