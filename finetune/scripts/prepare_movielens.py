"""Turn MovieLens ratings into train.json, eval.json and test.json; the same as `likely prepare`."""

from likely.cli import main

if __name__ == "__main__":
    main("prepare")
