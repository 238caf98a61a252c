"""Turn MovieLens ratings into train.json, eval.json and test.json; the same as `likely prepare`."""

import sys

from likely.cli import run

if __name__ == "__main__":
    sys.exit(run(["prepare", *sys.argv[1:]]))
