"""An output while it is computed: no other command writes it, and what is scored outlasts this one.

`cli` holds an output with :func:`keeping_beside` around the scoring and the writing; `loaded_run` keeps the answers of
each forward pass in a file beside it. A command that scores the same again, for the same output, takes them up.
"""

import hashlib
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from likely.errors import StoppedError
from likely.locking import alone_at
from likely.model.kept_passes import KeptPasses
from likely.model.scoring import NUMBERS


@dataclass(frozen=True)
class KeptAnswers:
    """The files beside an output, one for every time that a model is asked.

    Attributes:
        output: file, or folder of several.
        opened: what this command has read and added to.
    """

    output: Path
    opened: list[KeptPasses] = field(default_factory=list)

    def open(self, made_with: str) -> KeptPasses:
        """Return what is kept of some answers.

        Args:
            made_with: everything that they depend on. It is in the name of the file too, so that one command does not
                wipe out what another has kept.

        Raises:
            LikelyError: the file cannot be written.
        """
        digest = hashlib.sha256(made_with.encode()).hexdigest()
        name = f"scores-{digest[:12]}.partial"
        path = self.output / name if self.output.is_dir() else self.output.with_name(f"{self.output.name}.{name}")
        passes = KeptPasses.open(path, digest, NUMBERS)
        self.opened.append(passes)
        return passes

    @property
    def known(self) -> int:
        """Answers that an earlier command had computed."""
        return sum(len(passes.known) for passes in self.opened)

    def remove(self) -> None:
        """Remove the files, once the output is written."""
        for passes in self.opened:
            passes.path.unlink(missing_ok=True)


@contextmanager
def keeping_beside(output: Path) -> Iterator[KeptAnswers]:
    """Hold an output while it is scored and written; what is scored is kept beside it unless the block ends well.

    Raises:
        LikelyError: another command is writing it.
        StoppedError: Ctrl-C.
    """
    kept = KeptAnswers(output)
    with alone_at(output):
        try:
            yield kept
        except KeyboardInterrupt:
            raise StoppedError(
                f"Stopped; what is scored is kept beside {output}. The same command goes on from there.",
                128 + signal.SIGINT,
            ) from None
        kept.remove()
