"""`python -m likely`: the command `likely` without its script."""

from likely.cli import main

if __name__ == "__main__":
    main()
