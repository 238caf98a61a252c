"""Ctrl-C and SIGTERM while training: the step is finished and saved, and a second one ends at once.

`training` listens for the length of its steps; a callback looks at the request after each of them.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)

SAME_PRESS = 0.5
"""Seconds in which a repeated signal is the same one: torchrun repeats to its processes what a terminal sent to all."""


@dataclass
class StopRequest:
    """Whether somebody wants the training to stop.

    Attributes:
        by: the signal in which they said so; None while nobody has.
        at: when, on the monotonic clock.
        is_met: whether the training has saved and stopped because of it, in any of its processes.
    """

    by: signal.Signals | None = None
    at: float = 0.0
    is_met: bool = False

    @property
    def exit_status(self) -> int:
        """What a shell expects of a process that ended by the signal: 128 and its number."""
        return 128 + (self.by or signal.SIGTERM)


@contextmanager
def listening(request: StopRequest, on_note: Callable[[str], None]) -> Iterator[None]:
    """Turn the first Ctrl-C or SIGTERM of a block into a request; the second does what it did before.

    Signals reach the main thread alone; in any other thread nothing changes and no request comes.

    Args:
        request: filled when a signal comes.
        on_note: told, in a thread of its own, that the signal has been heard.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def hear(number: int, frame: FrameType | None) -> None:
        if request.by is None:
            request.by, request.at = signal.Signals(number), time.monotonic()
            told = "Stopping: this step is finished and saved first. Ctrl-C again ends at once."
            # A handler may interrupt a half-written line; a thread waits for its turn.
            threading.Thread(target=on_note, args=(told,)).start()
        elif time.monotonic() - request.at > SAME_PRESS:
            signal.signal(number, before[signal.Signals(number)])
            signal.raise_signal(number)

    for number in SIGNALS:
        signal.signal(number, hear)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
