"""The verbs of the command `likely`: each reads its arguments, calls the package that does the work, and prints."""

from likely.cli.app import main, run

__all__ = ["main", "run"]
