"""`likely rank`: candidate movies for one history, best first."""

from pathlib import Path
from typing import Annotated

import typer

from likely.cli.options import MAIN_RUN
from likely.errors import LikelyError


def score(
    history: Annotated[Path, typer.Option(help="JSON list of title, year, genres, rating; oldest first.")],
    candidates: Annotated[Path, typer.Option(help="JSON list of title, year, genres; other keys are kept.")],
    adapter_dir: Annotated[Path, typer.Option(help="Folder of a finished run.")] = MAIN_RUN,
    top: Annotated[int, typer.Option(help="Movies shown.", min=1)] = 10,
    like_threshold: Annotated[float, typer.Option(help="The rating that the run calls a like.")] = 4.0,
    hints: Annotated[bool, typer.Option("--hints", help="The run's records were prepared with --hints.")] = False,
    output: Annotated[Path | None, typer.Option(help="Write one JSON object a candidate, best first.")] = None,
) -> None:
    """Rank candidate movies for one history by P(Yes)."""
    from rich.console import Console

    from likely.inference.movies import read_candidates, read_history
    from likely.model.runtime import ready_process

    rated, movies = read_history(history), read_candidates(candidates)
    if output and (output.is_dir() or not output.parent.is_dir()):
        raise LikelyError(f"--output {output} is no file in a folder that exists; name another one.")
    console = Console()
    ready_process()
    from likely.inference.ranking import ranking_table, run_ranking, write_ranking

    ranked = run_ranking(console, adapter_dir, rated, movies, like_threshold, hints)
    console.print(ranking_table(ranked[:top], f"Best of {len(ranked):,} candidates"))
    if output:
        write_ranking(output, ranked)
        console.print(f"Scores written to {output}.", highlight=False)
