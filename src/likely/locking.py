"""One process at a time in an output folder, or at an output file.

`training` holds the folder that it writes, and `inference` and `evaluation` what they score into. The kernel frees a
lock when its process ends, however that comes about, so one that was left behind holds nobody up.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from likely.errors import LikelyError
from likely.files import writing

LOCK_FILE = ".lock"


@contextmanager
def alone_in(output_dir: Path) -> Iterator[None]:
    """Hold an output folder for the length of a block.

    Raises:
        LikelyError: another process holds it, and the sentence says which; or the file cannot be written.
    """
    busy = f"output_dir {output_dir} is in use by another run"
    with _held(output_dir / LOCK_FILE, busy, "wait for its end or choose another folder."):
        yield


@contextmanager
def alone_at(output: Path) -> Iterator[None]:
    """Hold an output file, or the folder of several, for the length of a block; nothing is left beside it.

    Raises:
        LikelyError: as of :func:`alone_in`.
    """
    path = output / f"{LOCK_FILE}-scores" if output.is_dir() else output.with_name(f".{output.name}{LOCK_FILE}")
    with _held(path, f"{output} is being written by another command", "wait for its end or name another output."):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)  # while it is held: whoever has opened it by now is refused


@contextmanager
def _held(path: Path, busy: str, remedy: str) -> Iterator[None]:
    """Hold a lock file, or raise LikelyError: who does what, which process that is, and what to do."""
    holder = path.read_text(encoding="utf-8", errors="replace").strip() if path.is_file() else ""
    lock = FileLock(path, mode=0o644)
    with writing(path):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise LikelyError(f"{busy} ({holder or 'another process'}); {remedy}") from None
    try:
        with writing(path):
            path.write_text(f"process {os.getpid()} on {socket.gethostname()}\n", encoding="utf-8")
        yield
    finally:
        lock.release()
