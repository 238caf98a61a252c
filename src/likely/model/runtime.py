"""What this process has to be told before a model runs in it: keep memory for reuse, and let no library talk.

`base` and `adapter` call it for what they load and `training` for its run; `cli` silences libraries for good.
"""

import ctypes
import logging
import os
import platform
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

TALKATIVE = ("huggingface_hub", "bitsandbytes", "accelerate")
"""Loggers of libraries beside transformers, which has its own switch."""


def ready_process() -> None:
    """Silence the bars and notices of libraries for good; ours say what a user needs."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    warnings.filterwarnings("ignore", category=FutureWarning)
    _silence()


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Silence the bars, notices and warnings of libraries for a while; also a decorator of what is to be quiet."""
    from transformers.utils import logging as transformers_logging

    verbosity, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    levels = {name: logging.getLogger(name).level for name in TALKATIVE}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _silence()
        try:
            yield
        finally:
            transformers_logging.set_verbosity(verbosity)
            if bars:
                transformers_logging.enable_progress_bar()
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)


def _silence() -> None:
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.ERROR)


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
