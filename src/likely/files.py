"""Files that are whole or not there: a killed or failed write leaves the old file as it was."""

import io
import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from likely.errors import LikelyError


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the file system refuses while a file or folder is written into a sentence that names it.

    Raises:
        LikelyError: with the reason, such as a full disk.
    """
    try:
        yield
    except OSError as error:
        raise LikelyError(
            f"{path} cannot be written ({error.strerror or error}); make space there or choose another place."
        ) from error


@contextmanager
def replacing(path: Path) -> Iterator[IO[str]]:
    """Open a UTF-8 text file that takes the place of `path` once all is written, and vanishes if writing fails.

    Raises:
        LikelyError: it cannot be written.
    """
    with writing(path), replacing_bytes(path) as out:
        text = io.TextIOWrapper(out, encoding="utf-8")
        yield text
        text.detach()


def check_writable(path: Path) -> None:
    """Try whether a file can be written, before hours of computing what goes into it; nothing is left behind.

    Raises:
        LikelyError: it cannot, or it is a folder.
    """
    if path.is_dir():
        raise LikelyError(f"{path} is a folder, not a file that can be written; name a file in it.")
    with writing(path), tempfile.TemporaryFile(dir=path.parent) as out:
        out.write(b"x")


@contextmanager
def replacing_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open a binary file that takes the place of `path` once all is written, and vanishes if writing fails."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as out:
        try:
            yield out
        except BaseException:
            os.unlink(out.name)
            raise
    os.chmod(out.name, 0o644)
    os.replace(out.name, path)


def make_writable_folder(folder: Path) -> None:
    """Make a folder, unless it is there, and write a file into it, so that a fault shows before anything is computed.

    Raises:
        OSError: it cannot be made, or cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically; numbers that are not finite become null."""
    text = json.dumps(_finite(value), indent=2, ensure_ascii=False) + "\n"
    with replacing(path) as out:
        out.write(text)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
