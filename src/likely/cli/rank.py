"""`likely rank`: candidate movies for one history, best first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from likely.cli.options import MAIN_RUN, RunFolder
from likely.files import check_writable, json_line, replacing

if TYPE_CHECKING:
    from likely.inference.ranking import Ranked


def rank(
    history: Annotated[Path, typer.Option(help="JSON list of title, year, genres, rating; oldest first.")],
    candidates: Annotated[Path, typer.Option(help="JSON list of title, year, genres; other keys are kept.")],
    adapter_dir: RunFolder = MAIN_RUN,
    top: Annotated[int, typer.Option(help="Movies shown.", min=1)] = 10,
    output: Annotated[Path | None, typer.Option(help="Write one JSON object a candidate, best first.")] = None,
) -> None:
    """Rank candidate movies for one history by P(Yes)."""
    from likely.inference.movies import read_candidates, read_history
    from likely.model.runtime import ready_process
    from likely.report.console import SafeConsole

    rated, movies = read_history(history), read_candidates(candidates)
    if output:
        check_writable(output)
    console = SafeConsole()
    ready_process()
    from likely.cli.progress import print_notes, scoring_bar
    from likely.inference.ranking import Ranker
    from likely.report.ranking_table import ranking_table

    ranker = Ranker.load(adapter_dir)
    with scoring_bar(console, "scoring candidates") as on_progress:
        ranked = ranker.rank(rated, movies, on_progress=on_progress)
    print_notes(console, ranker.notes)
    console.print(ranking_table(ranked[:top], f"Best of {len(ranked):,} candidates", ranker.task.noun))
    if output:
        write_ranking(output, ranked)
        console.print(f"Scores written to {output}.", highlight=False)


def write_ranking(path: Path, ranked: Sequence[Ranked]) -> None:
    """Write one JSON object a movie, best first: rank, p_yes, the movie, and what else came with it."""
    with replacing(path) as out:
        for place, one in enumerate(ranked, start=1):
            movie = one.candidate
            own = {
                "rank": place,
                "p_yes": one.p_yes,
                "title": movie.title,
                "year": movie.year,
                "genres": list(movie.genres),
            }
            line = {**own, **movie.extra, **own}  # own keys come first and win
            out.write(json_line(line))
