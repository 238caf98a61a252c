"""One run at a time in an output folder.

`training` holds the lock while it writes. The kernel frees it when its process ends, however that comes about, so a
lock that was left behind holds nobody up.
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
    path = output_dir / LOCK_FILE
    holder = path.read_text(encoding="utf-8").strip() if path.is_file() else ""
    lock = FileLock(path, mode=0o644)
    with writing(path):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise LikelyError(
                f"output_dir {output_dir} is in use by another run ({holder or 'another process'}); wait for its end "
                "or choose another folder."
            ) from None
    try:
        with writing(path):
            path.write_text(f"process {os.getpid()} on {socket.gethostname()}\n", encoding="utf-8")
        yield
    finally:
        lock.release()
