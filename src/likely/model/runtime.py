"""What this process has to be told before a model runs in it: keep memory for reuse, and let no library talk.

`base` and `adapter` call it for what they load and `training` for its run; `cli` silences libraries for good.
"""

import ctypes
import logging
import os
import platform
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType

from likely.errors import LikelyError

TALKATIVE = ("huggingface_hub", "bitsandbytes", "accelerate")
"""Loggers of libraries beside transformers, which has its own switch."""

UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, ImportError, ArithmeticError)
"""What follows in a library from a value of another kind than it expected."""


def ready_process() -> None:
    """Silence the bars and notices of libraries for good; ours say what a user needs."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    warnings.filterwarnings("ignore", category=FutureWarning)
    _silence()


@contextmanager
def explained(sentence: Callable[[str], str]) -> Iterator[None]:
    """Turn what the libraries raise about damaged files of a model or an adapter into a sentence.

    Their readers trust what they parse, so a value of another kind than expected raises whatever follows from it.

    Args:
        sentence: given the reason, in a line, what to say.

    Raises:
        LikelyError: one of them raised something.
    """
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError

    def explain(kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        # tokenizers, which is written in Rust, knows no other class than Exception itself.
        if isinstance(error, (*UNREADABLE, SafetensorError, StrictDataclassError)) or kind is Exception:
            first = str(error).strip().partition("\n")[0].rstrip(".")
            raise LikelyError(sentence(first or type(error).__name__)) from error

    with ExitStack() as stack:
        stack.push(explain)
        yield


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
