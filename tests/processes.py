"""Runs the command in processes of its own that need not import the libraries first.

Importing torch, transformers and peft takes seconds. One server process does it once, and every process started here
is a fork of that: fresh, without threads, and at work at once. What users start is tried by the tests of the wheel.
"""

import gc
import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["likely.cli", "likely.training.trainer", "likely.training.run", "likely.api"])


@dataclass(frozen=True)
class Started:
    """A process that runs the command, and the file that holds what it prints."""

    process: ForkServerProcess
    output: Path

    def alive(self) -> bool:
        """Return whether it has not ended yet."""
        return self.process.is_alive()

    def send(self, number: int) -> None:
        """Send it a signal."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def ended(self) -> tuple[str, int]:
        """Wait for its end and return what it printed and its exit status."""
        self.process.join(timeout=300)
        assert self.process.exitcode is not None, self.output.read_text()
        return self.output.read_text(), self.process.exitcode


def start(arguments: Sequence[str], environment: Mapping[str, str], output: Path) -> Started:
    """Run `likely` with arguments and a changed environment in a process of its own.

    Args:
        arguments: of the command.
        environment: what is set besides the variables of the tests themselves.
        output: a file for what the process prints on both streams.
    """
    process = FORKS.Process(target=_live, args=(list(arguments), dict(environment), output))
    process.start()
    return Started(process, output)


def start_python(code: str, folder: Path, output: Path) -> Started:
    """Run Python in a folder in a process of its own; what it prints on both streams goes into the file `output`."""
    process = FORKS.Process(target=_execute, args=(code, folder, output))
    process.start()
    return Started(process, output)


def _live(arguments: list[str], environment: dict[str, str], output: Path) -> None:
    from likely.cli import main

    os.environ.update(environment)
    _alone(output)
    sys.argv = ["likely", *arguments]
    main()


def _execute(code: str, folder: Path, output: Path) -> None:
    _alone(output)
    os.chdir(folder)
    exec(code, {"__name__": "__main__"})


def _alone(output: Path) -> None:
    import torch

    torch.set_num_threads(1)
    gc.freeze()  # transformers collects garbage, and would look through all that the server imported
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
