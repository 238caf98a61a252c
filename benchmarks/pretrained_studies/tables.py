"""What came of the runs: each contestant's figures over seeds, and its difference from the first of its study.

Takes the lines that `workers` left and the eval rows that they answered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.common import Row
from benchmarks.pretrained_studies.records import Count
from benchmarks.pretrained_studies.studies import STUDIES, Run, Setting
from likely.data.records import Labels, Record
from likely.evaluation.contest import DRAWS
from likely.evaluation.metrics import probability_metrics
from likely.evaluation.resampling import UserDraws, draw_users, interval, resampled_metrics
from likely.model.answers import BoolRows, FloatRows

METRICS = ("auc", "gauc", "uauc", "log_loss")
COLOURS = ("#1f5f99", "#3d9a8b", "#c2571a", "#8a4fa3", "#666666", "#b8860b", "#a03050", "#111111")


@dataclass(frozen=True)
class Compared:
    """One contestant of a study.

    Attributes:
        study: its name.
        name: of the contestant.
        seeds: of its runs.
        means: of each metric over its seeds.
        spreads: their standard deviations; none with one seed.
        aucs: of each seed, as a run may learn or fail to, and a mean says nothing of that.
        differences: of each metric from the first contestant, mean over the seeds that both have, and its 95% interval
            over resamples of users, which knows nothing of seeds; none for the first contestant itself.
        pairs: the seeds that both have.
        tokens: computed for a training record in the tree, and alone.
        seconds: of a run, the median, beside others on the same machine.
    """

    study: str
    name: str
    seeds: list[int]
    means: dict[str, float]
    spreads: dict[str, float]
    aucs: list[float]
    differences: dict[str, tuple[float, float, float]]
    pairs: list[int]
    tokens: tuple[float, float]
    seconds: float


@dataclass(frozen=True)
class Answered:
    """The eval rows that all runs answered, and one resample of users for all."""

    liked: BoolRows
    users: list[str]
    drawn: UserDraws

    def metrics(self, p_yes: FloatRows) -> dict[str, float]:
        found = probability_metrics(self.liked, p_yes, self.users)
        return {name: found[name] for name in METRICS}

    def resampled(self, p_yes: FloatRows) -> dict[str, FloatRows]:
        found = resampled_metrics(self.liked, p_yes, p_yes >= 0.5, p_yes < 0.5, self.drawn)
        return {name: found[name] for name in METRICS}


def answered_rows(rows: Sequence[Record], draws: int = DRAWS) -> Answered:
    users = [str(row.user_id) for row in rows]
    liked = np.array([row.output == Labels().positive for row in rows])
    return Answered(liked, users, draw_users(users, draws))


def compare(
    runs: Mapping[Run, Mapping[str, Any]], rows: Answered, counts: Mapping[Setting, Count], studies: Sequence[str]
) -> list[Compared]:
    """Return every contestant that has a run, by study; a study with a single one compares nothing and is left out."""
    answers = {run: np.array(line["p_yes"]) for run, line in runs.items()}
    assert all(len(p_yes) == len(rows.liked) for p_yes in answers.values())
    of_rows = {run: rows.metrics(p_yes) for run, p_yes in answers.items()}
    of_draws = {run: rows.resampled(p_yes) for run, p_yes in answers.items()}
    found = []
    for study in studies:
        reference = next(iter(STUDIES[study].values()))
        trained = {name: setting for name, setting in STUDIES[study].items() if any(r.setting == setting for r in runs)}
        for name, setting in trained.items() if len(trained) > 1 else ():
            mine = sorted((run for run in runs if run.setting == setting), key=lambda run: run.seed)
            figures = {metric: np.array([of_rows[run][metric] for run in mine]) for metric in METRICS}
            others = {run: Run(reference, run.seed) for run in mine if setting != reference}
            pairs = [(run, other) for run, other in others.items() if other in runs]
            differences = {}
            for metric in METRICS if pairs else ():
                mean = float(np.mean([of_rows[one][metric] - of_rows[other][metric] for one, other in pairs]))
                draws = np.mean([of_draws[one][metric] - of_draws[other][metric] for one, other in pairs], axis=0)
                differences[metric] = (mean, *interval(draws))
            count = counts[setting]
            found.append(
                Compared(
                    study,
                    name,
                    [run.seed for run in mine],
                    {metric: float(values.mean()) for metric, values in figures.items()},
                    {metric: float(values.std(ddof=1)) for metric, values in figures.items() if len(mine) > 1},
                    [float(auc) for auc in figures["auc"]],
                    differences,
                    [run.seed for run, _ in pairs],
                    (count.tokens / count.records, count.tokens_alone / count.records),
                    float(np.median([runs[run]["seconds"] for run in mine])),
                )
            )
    return found


def table_of(found: Sequence[Compared], study: str) -> str:
    """Return a study as a table in Markdown: means, standard deviations over seeds, and differences from the first."""
    columns = ("seeds", "eval AUC of each", "eval AUC", "GAUC", "UAUC", "log-loss")
    columns += ("AUC less the first's (95% over users)", "log-loss, likewise")
    heading: Sequence[str] = (study, *columns, "tokens a record in the tree", "alone", "seconds")
    lines = [heading, ["---"] * len(heading)]
    for one in (one for one in found if one.study == study):
        cells = [", ".join(f"{auc:.3f}" for auc in one.aucs)]
        cells += [_with_spread(one, metric) for metric in METRICS]
        cells += [_difference(one, metric) for metric in ("auc", "log_loss")]
        costs = (f"{one.tokens[0]:.0f}", f"{one.tokens[1]:.0f}", f"{one.seconds:.0f}")
        lines.append((one.name, str(len(one.seeds)), *cells, *costs))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _with_spread(one: Compared, metric: str) -> str:
    mean = f"{one.means[metric]:.4f}"
    return f"{mean} ± {one.spreads[metric]:.4f}" if one.spreads else mean


def _difference(one: Compared, metric: str) -> str:
    if metric not in one.differences:
        return ""
    mean, low, high = one.differences[metric]
    compared = f", {len(one.pairs)} of {len(one.seeds)} seeds" if len(one.pairs) < len(one.seeds) else ""
    return f"{mean:+.4f} ({low:+.4f} to {high:+.4f}){compared}"


def rows_of(found: Sequence[Compared]) -> list[Row]:
    """Return a row a contestant that is compared with another, without a bar."""
    first = {study: next(iter(contestants)) for study, contestants in STUDIES.items()}
    return [
        Row(
            f"{one.study}: {one.name}, eval AUC against {first[one.study]}",
            "",
            _difference(one, "auc"),
            None,
            f"{len(one.seeds)} seeds, {one.tokens[0]:.0f} tokens a record",
        )
        for one in found
        if one.differences
    ]


def draw(found: Sequence[Compared], runs: Mapping[Run, Mapping[str, Any]], path: Path) -> None:
    """Plot each study in a row: training loss of every run over records seen, and the AUC of every run."""
    studies = list(dict.fromkeys(one.study for one in found))
    figure = Figure(figsize=(12, 4.2 * len(studies)), layout="constrained")
    for (losses, areas), study in zip(figure.subplots(len(studies), 2, squeeze=False), studies, strict=True):
        shown = [one for one in found if one.study == study]
        for place, (one, colour) in enumerate(zip(shown, COLOURS, strict=False)):
            mine = [line for run, line in runs.items() if run.setting == STUDIES[study][one.name]]
            marker = "o" if len(mine[0]["loss"]) < 4 else None
            for line in mine:
                losses.plot(line["records"], line["loss"], color=colour, marker=marker, linewidth=1)
            losses.lines[-1].set_label(one.name)
            areas.plot(one.aucs, [-place] * len(one.aucs), "o", color=colour)
        losses.set(title=f"{study}: training loss, a line a run", xlabel="training records seen")
        losses.legend(frameon=False, fontsize=7)
        areas.set_yticks([-place for place in range(len(shown))], [one.name for one in shown], fontsize=7)
        areas.set(title=f"{study}: eval AUC, a dot a run")
        for axes in (losses, areas):
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
