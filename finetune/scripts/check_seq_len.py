"""Measure prompt lengths in tokens, or in characters with --char-only; the same as `likely audit`."""

from likely.cli import main

if __name__ == "__main__":
    main("audit")
