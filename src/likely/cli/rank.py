"""`likely rank`: candidates for one history, best first."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from likely.cli.options import MAIN_RUN, RunFolder
from likely.files import check_writable, json_line, replacing

if TYPE_CHECKING:
    from likely.inference.ranking import Ranked


def rank(
    history: Annotated[Path, typer.Option(help="JSON list of title, year, genres (or details), rating; oldest first.")],
    candidates: Annotated[Path, typer.Option(help="JSON list of title, year, genres (or details); others are kept.")],
    adapter_dir: RunFolder = MAIN_RUN,
    top: Annotated[int, typer.Option(help="Candidates shown.", min=1)] = 10,
    output: Annotated[Path | None, typer.Option(help="Write one JSON object a candidate, best first.")] = None,
) -> None:
    """Rank candidates for one history by the run's answer, or by P(Yes) where it keeps none."""
    from likely.inference.loaded_run import config_of
    from likely.inference.movies import read_candidates, read_history
    from likely.inference.ranking import ratings_task_of
    from likely.model.runtime import ready_process
    from likely.report.console import SafeConsole

    config_of(adapter_dir)  # says what is wrong with a folder that holds no run
    words = ratings_task_of(adapter_dir).words
    rated, movies = read_history(history, words), read_candidates(candidates, words)
    if output:
        check_writable(output)
    console = SafeConsole()
    ready_process()
    from likely.cli.progress import print_notes, scoring_bar
    from likely.evaluation.answering import rank_by_answer
    from likely.evaluation.blend import load_blend
    from likely.inference.kept_answers import keeping_beside
    from likely.inference.ranking import Ranker
    from likely.inference.trained_on import check_adapter
    from likely.report.ranking_table import ranking_table

    with keeping_beside(output) if output else nullcontext() as kept:
        blend = load_blend(adapter_dir)
        ranker = Ranker.load(adapter_dir)
        with scoring_bar(console, "scoring candidates") as on_progress:
            ranked = ranker.rank(rated, movies, on_progress=on_progress, kept=kept)
        if blend:
            check_adapter(adapter_dir, blend.adapter, ranker.run.adapter)
            ranked = rank_by_answer(blend, rated, ranked)
        print_notes(console, ranker.run.notes, kept)
        console.print(ranking_table(ranked[:top], f"Best of {len(ranked):,} candidates", words.noun))
        if output:
            write_ranking(output, ranked, words.details)
            console.print(f"Scores written to {output}.", markup=False, soft_wrap=True, highlight=False)


def write_ranking(path: Path, ranked: Sequence[Ranked], details: str = "genres") -> None:
    """Write one JSON object a candidate, best first: rank, p_yes, title, year, its details, and what came with it.

    Where the run keeps an answer, it and what counting says alone stand beside p_yes.
    """
    with replacing(path) as out:
        for place, one in enumerate(ranked, start=1):
            figures: dict[str, float | None] = {"rank": place, "p_yes": one.p_yes}
            figures |= {} if one.answer is None else {"answer": one.answer, "counting": one.counting}
            out.write(json_line(one.candidate.beside(figures, details)))
