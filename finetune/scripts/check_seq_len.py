"""Measure prompt lengths in tokens, or in characters with --char-only; the same as `likely audit`."""

import sys

from likely.cli import run

if __name__ == "__main__":
    sys.exit(run(["audit", *sys.argv[1:]]))
