"""Files that are whole or not there, also after a killed or failed write; what cannot be read is said in a sentence."""

import errno
import io
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from likely.errors import LikelyError

WRITING = ".writing-"
"""How the name of a folder begins in which others are written; one that a killed process left may be removed."""


@contextmanager
def reading(path: Path, remedy: str) -> Iterator[None]:
    """Turn what the file system refuses while a file is read into a sentence that names it.

    Args:
        path: the file.
        remedy: what to do where it cannot be read, as the end of a sentence.

    Raises:
        LikelyError: it is missing or cannot be read.
    """
    try:
        yield
    except FileNotFoundError:
        raise LikelyError(f"{path} does not exist; {remedy}") from None
    except OSError as error:
        raise LikelyError(f"{path} cannot be read ({error.strerror}); {remedy}") from error


def read_lines(path: Path, remedy: str) -> Iterator[str]:
    """Yield the lines of a UTF-8 file, with or without a byte order mark, one after the other.

    Raises:
        LikelyError: it is not UTF-8, or as :func:`reading`, whose arguments it takes.
    """
    number = 1
    with reading(path, remedy), path.open("rb") as file:
        try:
            for number, line in enumerate(file, start=1):
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise LikelyError(f"{path} is not UTF-8 text (line {number}); save it as UTF-8, or {remedy}") from error


def read_text(path: Path, remedy: str) -> str:
    """Return a whole UTF-8 file; arguments and errors as of :func:`read_lines`."""
    return "".join(read_lines(path, remedy))


def read_json(path: Path, remedy: str) -> Any:
    """Read a JSON file; arguments as of :func:`read_lines`.

    Raises:
        LikelyError: it cannot be read, or is not JSON.
    """
    return parse_json(read_text(path, remedy), path, remedy)


def parse_json(text: str, path: Path, remedy: str, line: int = 1) -> Any:
    """Parse JSON that was read from a file, where it begins in line `line`.

    Raises:
        LikelyError: it is not JSON, or more than Python reads: nested too deeply, numbers too long.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if not text.strip():
            raise LikelyError(f"{path} is empty; {remedy}") from None
        where = f"line {error.lineno + line - 1}, column {error.colno}"
        raise LikelyError(f"{path} is not JSON ({where}: {error.msg}); {remedy}") from error
    except RecursionError as error:
        raise LikelyError(f"{path} is nested too deeply; {remedy}") from error
    except ValueError as error:  # of whole numbers with more than 4,300 digits
        raise LikelyError(f"{path} holds a number that is too long; {remedy}") from error


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

    Half a surrogate pair, which UTF-8 cannot hold, is written as JSON spells it: \\ud800.

    Raises LikelyError where it cannot be written.
    """
    with writing(path), replacing_bytes(path) as out:
        text = io.TextIOWrapper(out, encoding="utf-8", errors="backslashreplace")
        yield text
        text.detach()


def check_writable(path: Path) -> None:
    """Try whether a file can be written, before hours of computing what goes into it; nothing is left behind.

    Raises:
        LikelyError: it cannot, or it is a folder or a device.
    """
    if path.is_dir():
        raise LikelyError(f"{path} is a folder, not a file that can be written; name a file in it.")
    with writing(path):
        _check_ordinary(path)
        with tempfile.TemporaryFile(dir=path.parent) as out:
            out.write(b"x")


@contextmanager
def replacing_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open a binary file that takes the place of `path` once all is written, and vanishes if writing fails."""
    _check_ordinary(path)
    out = tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False)  # noqa: SIM115
    try:
        with out:
            yield out
        os.chmod(out.name, 0o644)
        os.replace(out.name, path)
    except BaseException:
        os.unlink(out.name)
        raise


def _check_ordinary(path: Path) -> None:
    """Raise OSError for a device such as /dev/null, whose place a file would take for everybody."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(errno.EINVAL, "it is a device, not a file")


@contextmanager
def replacing_folder(folder: Path, last: str) -> Iterator[Path]:
    """Give a scratch folder whose files move into `folder`, made if missing, once all are written.

    Files and folders of the same names are replaced, others stay; none is touched if writing fails. Everybody may read
    them.

    Args:
        folder: where the files go.
        last: name of the file that moves last, and so marks the others as complete.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=WRITING) as name:
        scratch = Path(name)
        yield scratch
        for path in sorted(scratch.iterdir(), key=lambda path: (path.name == last, path.name)):
            _let_everybody_read(path)
            if path.is_dir() and (folder / path.name).is_dir():
                shutil.rmtree(folder / path.name)  # which only an empty one lets itself be replaced
            os.replace(path, folder / path.name)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give a scratch folder that takes the place of `folder` once all is written, and vanishes if writing fails.

    Raises:
        LikelyError: there is something already, or it cannot be written.
    """
    check_new(folder)
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as outer:
            scratch = Path(outer) / "new"
            scratch.mkdir()
            yield scratch
            for path in scratch.iterdir():
                _let_everybody_read(path)
            os.replace(scratch, folder)


def _let_everybody_read(path: Path) -> None:
    """Let everybody read a file, or a folder with all that is in it."""
    for each in (path, *(path.rglob("*") if path.is_dir() else ())):
        os.chmod(each, 0o755 if each.is_dir() else 0o644)


def check_new(folder: Path) -> None:
    """Check that a folder is not there, or empty, and that its name is a text, as libraries want it that write into it.

    Raises:
        LikelyError: there is something, or its name is no text.
    """
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        raise LikelyError(f"The name of the folder {folder} is not UTF-8 text; name another one.") from None
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise LikelyError(f"{folder} exists and is not an empty folder; name another one.")


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


def json_line(value: Any) -> str:
    """Return a value as a line of JSON Lines; what JSON has not becomes text, and numbers that are not finite null."""
    return json.dumps(_finite(value), ensure_ascii=False, allow_nan=False, default=str) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
