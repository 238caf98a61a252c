"""The command `likely`: its verbs, one file each, and how what a user got wrong is said.

Heavy imports happen inside the verbs, so that `likely --help` is quick. The scripts under `finetune/scripts/` are
doors to the same.
"""

import errno
import io
import os
import sys
import time
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from likely.cli.audit import audit
from likely.cli.config import config
from likely.cli.demo import demo
from likely.cli.evaluate import evaluate
from likely.cli.export import export
from likely.cli.infer import infer
from likely.cli.options import Verb, typed
from likely.cli.predict import predict
from likely.cli.prepare import prepare
from likely.cli.rank import rank
from likely.cli.render import render
from likely.cli.report import report
from likely.cli.serve import serve
from likely.cli.train import train
from likely.cli.tree import tree
from likely.errors import LikelyError, StoppedError

WORD_OF_THE_FIRST = 3.0
"""Seconds in which the first of several processes has said what they end with."""

BAD_PATHS = (errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.EROFS)
"""What the file system answers to a path that is wrong, wherever it is first looked at."""

MISTYPED: Any = typer.BadParameter.__bases__
"""What the parser raises for words that it does not understand: click's `UsageError`, or that of typer's own copy."""

app = typer.Typer(
    help="Finetune a small language model to answer: will this user like this movie?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for verb in (prepare, audit, tree, train, infer, evaluate, predict, rank, render, serve, export, report, config, demo):
    app.command(cls=Verb)(verb)
app.command("score", cls=Verb, hidden=True)(rank)  # its former name


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"likely {version('likely')}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Take the options before the verb."""


def run(arguments: Sequence[str]) -> int:
    """Run a verb and return its exit status: 2, with one sentence on stderr, for what a user can fix."""
    try:
        return int(app(list(arguments), standalone_mode=False) or 0)
    except MISTYPED as error:
        if arguments:  # without any, help has been printed
            _say(_mistyped(error, arguments[0]))
        return 2
    except LikelyError as error:
        _say(error)
        return 2
    except StoppedError as stopped:
        _say(stopped)
        return stopped.exit_status
    except OSError as error:
        if error.errno not in BAD_PATHS or error.filename is None:
            raise
        _say(LikelyError(f"{error.filename} cannot be used ({error.strerror}); name another path."))
        return 2
    except SystemExit as leaving:
        return int(leaving.code or 0)


def _mistyped(error: Any, first: str) -> LikelyError:
    """Return a sentence for what the parser did not understand, given the first word after `likely`."""
    if near := vars(error).get("possibilities"):  # of an option that there is not
        return LikelyError(f"{error.message}; did you mean {' or '.join(sorted(near))}?")
    said = error.format_message().rstrip(".").replace("'. Did you mean", "'; did you mean")
    if said.endswith("?"):
        return LikelyError(said)
    verb = first if error.ctx is None or error.ctx.parent else ""  # what is above a verb has none
    return LikelyError(f"{said}; see {' '.join(filter(None, (typed('likely'), verb, '--help')))}.")


def _say(sentence: Exception) -> None:
    """Print a sentence on stderr, once where torchrun has started several of us, who all have the same to say.

    torchrun ends all of them when one has ended, so the others leave the first one the time to speak.
    """
    from rich.markup import escape

    from likely.report.console import SafeConsole

    if os.environ.get("RANK", "0") != "0":
        time.sleep(WORD_OF_THE_FIRST)
        return
    said = f"[bold red]likely:[/bold red] {escape(str(sentence))}"
    SafeConsole(stderr=True).print(said, soft_wrap=True, highlight=False)


def main(*words: str) -> None:
    """Run `likely` with words of a script and the arguments of the process.

    Of names that are no text, the bytes are shown, and of what a terminal cannot show, an escape.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(run([*words, *sys.argv[1:]]))
