"""Arrays that are kept between commands: a folder of .npz files, of which the latest used stay.

`encoding.cache` keeps tokens so, and `model.item_embeddings` vectors. A file that is damaged counts as none.
"""

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likely.archives import check_inflation
from likely.errors import LikelyError
from likely.files import replacing_bytes


def read_arrays(path: Path, *names: str) -> list[NDArray[Any]] | None:
    """Return arrays of a file by name, which counts as used now; None where it is not there or damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            check_inflation(arrays.zip, arrays.zip.namelist())
            found = [arrays[name] for name in names]
        os.utime(path)
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, LikelyError):
        return None
    return found


def write_arrays(path: Path, most: int, **arrays: NDArray[Any]) -> None:
    """Write a file whole or not at all into a folder that is there, and remove the oldest of more than `most` files.

    Raises:
        OSError: it cannot be written.
    """
    named: dict[str, Any] = dict(arrays)  # or mypy would take them for options of savez
    with replacing_bytes(path) as out:
        np.savez(out, **named)
    by_age = sorted(path.parent.glob("*.npz"), key=lambda one: one.stat().st_mtime)
    for old in by_age[:-most]:
        old.unlink()
