"""One input of the fuzzer: a command, and how the files of a good folder are damaged before it runs.

A case is JSON, so that a failure is a file that can be run again, and kept in `corpus/` once it is fixed:

    {"command": ["report", "--run", "run"], "files": {"run/metrics.json": [{"repeat": "[", "times": 100000}]}}

A file is a text, a list of pieces (texts, or one repeated so many times), or an object: {"base64": its bytes},
{"cut": the length to which the good file is cut}, {"flip": positions in it whose byte is inverted}, {"gone": true} or
{"folder": true}. Nothing is trained: a training that could begin counts as a success.
"""

import base64
import io
import json
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from polars.exceptions import PanicException
from typer.main import get_command

from fuzz.world import inside
from likely.cli import run
from likely.cli.app import app
from likely.errors import StoppedError
from likely.sources.download import UnreachableError
from support import sketch

PATIENCE = 60
"""Seconds after which an input counts as hanging."""

COMMAND = get_command(app)
"""Built once: typer would do it for every call, in half of the time that an input takes."""


@dataclass(frozen=True)
class Case:
    """A command, and what stands where in its folder instead of the good files."""

    command: Sequence[str]
    files: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> "Case":
        """Read a case."""
        return cls(**json.loads(text))

    def text(self) -> str:
        """Return the JSON text of a case."""
        return json.dumps({"command": list(self.command), "files": dict(self.files)}, indent=1) + "\n"


@dataclass(frozen=True)
class Outcome:
    """How a case ended: exit status, what it said on stderr, and what is wrong with that, or None."""

    status: int | None
    said: str
    fault: str | None


def as_file(content: bytes) -> Any:
    """Return bytes as a case holds them: as text where they are some."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}


def play(case: Case, world: Path, shown: bool = False) -> Outcome:
    """Run a case in a damaged copy of the world; `shown` prints the traceback of a fault."""
    with tempfile.TemporaryDirectory(dir=world.parent) as temporary:
        folder = Path(temporary) / "in" / "a" / "world"  # so that a few ../ stay inside
        shutil.copytree(world, folder, copy_function=os.link)
        for name, content in case.files.items():
            _damage(folder / name, content)
        with inside(folder):
            return _judge(case, shown)


def _damage(path: Path, content: Any) -> None:
    """Put something else in the place of a file."""
    good = path.read_bytes() if path.is_file() else b""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    match content:
        case {"gone": True}:
            pass
        case {"folder": True}:
            path.mkdir()
        case {"cut": length}:
            path.write_bytes(good[:length])
        case {"flip": places}:
            damaged = bytearray(good)
            for place in places:
                damaged[place % len(damaged)] ^= 0xFF
            path.write_bytes(damaged)
        case {"base64": coded}:
            path.write_bytes(base64.b64decode(coded))
        case str():
            path.write_bytes(content.encode())
        case _:
            pieces = [piece if isinstance(piece, str) else piece["repeat"] * piece["times"] for piece in content]
            path.write_bytes("".join(pieces).encode())


def _judge(case: Case, shown: bool) -> Outcome:
    """Run a command and say how it ended; only success, or a sentence with status 2, is right."""
    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8", errors) for errors in ["backslashreplace"] * 2]
    status, fault = None, None
    with redirect_stdout(streams[0]), redirect_stderr(streams[1]), isolated(), alarm():
        try:
            status = run(case.command)
        except (Exception, KeyboardInterrupt, PanicException) as error:  # whatever it is, it is a fault of the command
            if shown:
                traceback.print_exc(file=sys.__stderr__)
            fault = f"{type(error).__name__} at {_place_of(error)}: {str(error)[:200]}"
    said = _text(streams[1])
    if fault is None and status not in (0, 2):
        fault = f"exit status {status}"
    if fault is None and status == 2 and not said.strip():
        fault = "status 2 without a word"
    if fault is None and "Traceback" in said + _text(streams[0]):
        fault = "a traceback was printed"
    for name in ("run", "out", "data"):  # NaN is no JSON, though Python reads it
        for path in Path(name).glob("*.json*") if fault is None and status == 0 else ():
            if (
                str(path) not in case.files
                and path.is_file()
                and re.search(r"[:\[,]\s*(NaN|-?Infinity)\b", _read(path))
            ):
                fault = f"NaN was written into {path}"
    return Outcome(status, said, fault)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    return stream.buffer.getvalue().decode("utf-8", "replace")  # type: ignore[attr-defined]


def _place_of(error: BaseException) -> str:
    """Return the last line of this package that an error passed, and the line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "/likely/" in frame.filename]
    places = [f"{'/'.join(Path(frame.filename).parts[-2:])}:{frame.lineno}" for frame in (*own[-1:], *frames[-1:])]
    return ", ".join(dict.fromkeys(places))


@contextmanager
def alarm() -> Iterator[None]:
    """Interrupt what takes too long."""

    def ring(*_: object) -> None:
        raise TimeoutError(f"it took more than {PATIENCE} seconds")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def isolated() -> Iterator[None]:
    """Fetch, train, serve and upload nothing for a while."""
    import huggingface_hub.constants

    ask = socket.getaddrinfo

    def unreachable(*_: object, **__: object) -> None:
        raise UnreachableError("there is no network here.")

    def numbers_only(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:
        return ask(host, port, family, type, proto, flags | socket.AI_NUMERICHOST)

    def begins(*_: object, **__: object) -> None:
        raise StoppedError("a training would begin here.", 0)

    with ExitStack() as patches:
        for name in ("download", "wheel_members"):
            patches.enter_context(mock.patch(f"likely.sources.catalogue.{name}", unreachable))
        for name in ("likely.training.run.take_steps", "likely.cli.demo.finetune"):
            patches.enter_context(mock.patch(name, begins))
        patches.enter_context(mock.patch("socket.getaddrinfo", numbers_only))
        patches.enter_context(mock.patch("likely.serving.server.run_server"))
        patches.enter_context(mock.patch("huggingface_hub.get_token", return_value=None))
        patches.enter_context(mock.patch("likely.cli.app.app", COMMAND))
        patches.enter_context(mock.patch("likely.report.figures._drawing", sketch))
        patches.enter_context(mock.patch("likely.cli.demo.tiny_base", return_value=Path("base")))
        patches.enter_context(mock.patch.object(huggingface_hub.constants, "HF_HUB_OFFLINE", True))
        patches.enter_context(
            mock.patch.dict(os.environ, {"XDG_CACHE_HOME": str(Path.cwd() / "cache"), "COLUMNS": "100"})
        )
        yield
