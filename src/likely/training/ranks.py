"""One run in several processes (torchrun): what one of them meets, all act on.

A process that ended alone would leave the others waiting for it. `training` and its callbacks ask here; with one
process nothing is sent.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar, cast

from likely.errors import LikelyError
from likely.training.arguments import count_devices, is_first_process

Result = TypeVar("Result")


@contextmanager
def together() -> Iterator[None]:
    """Wait for all processes at the end of a block, and raise in all what any of them raised for the user.

    Raises:
        LikelyError: the sentence of the first process that has one.
    """
    if count_devices() == 1:
        yield
        return
    mine: LikelyError | None = None
    try:
        yield
    except LikelyError as error:
        mine = error
    said = [sentence for sentence in _gather(str(mine) if mine else None) if sentence]
    if said:
        raise LikelyError(said[0]) from mine


def by_first(work: Callable[[], Result]) -> Result:
    """Let the first process do some work and hand what came of it to all, be it a result or a :class:`LikelyError`."""
    if count_devices() == 1:
        return work()
    result: Result | None = None
    with together():
        if is_first_process():
            result = work()
    return cast(Result, _gather(result)[0])


def any_process(flag: bool) -> bool:
    """Return whether the flag is set in any process, so that all decide alike."""
    return flag if count_devices() == 1 else any(_gather(flag))


def _gather(value: Result) -> list[Result]:
    """Return the value of every process, in order of their ranks."""
    from accelerate.utils import gather_object

    gathered: list[Result] = gather_object([value])
    return gathered
