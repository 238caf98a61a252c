"""The command `likely` and its verbs; the scripts under `finetune/scripts/` are doors to the same.

Each verb reads its arguments, calls the module that does the work and shows what came out. Heavy
imports happen inside the verbs, so that `likely --help` is quick.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from likely.errors import LikelyError
from likely.model.runtime import ready_process

MAIN_CONFIG = Path("finetune/configs/qwen3_movielens_qlora.yaml")
PREPARED = Path("finetune/data/movielens_qwen3")
MAIN_RUN = Path("output/qwen3-movielens-qlora")
BASELINES = Path("output/baselines")

app = typer.Typer(
    help="Finetune a small language model to answer: will this user like this movie?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Config = Annotated[Path, typer.Option("--config", help="YAML file with every knob.")]
Overrides = Annotated[list[str] | None, typer.Argument(help="key=value, over the YAML file.", metavar="[KEY=VALUE]...")]


@app.command()
def prepare(
    dataset: Annotated[
        str, typer.Option(help="MovieLens release to fetch, such as ml-latest-small.")
    ] = "ml-latest-small",
    source: Annotated[Path | None, typer.Option(help="Folder or zip of a release; nothing is fetched.")] = None,
    output: Annotated[Path, typer.Option(help="Folder for train.json, eval.json and test.json.")] = PREPARED,
    like_threshold: Annotated[float, typer.Option(help="A rating from here on is a like.")] = 4.0,
    history_len: Annotated[
        int, typer.Option(help="Movies of history; anchored windows hold up to twice as many.")
    ] = 15,
    window: Annotated[
        Literal["anchored", "sliding"], typer.Option(help="anchored shares prompts; sliding does not.")
    ] = "anchored",
    warmup: Annotated[int, typer.Option(help="First ratings of a user that are only history.")] = 15,
    hints: Annotated[
        bool, typer.Option("--hints", help="Say in words what the user and earlier raters think; helps small models.")
    ] = False,
    max_users: Annotated[int | None, typer.Option(help="Keep so many users, chosen at random.")] = None,
    seed: Annotated[int, typer.Option(help="Of that choice.")] = 42,
) -> None:
    """Turn MovieLens ratings into records without leaks from the future."""
    from rich.console import Console

    from likely.cli.prepare import prepare_dataset
    from likely.data.protocol import SplitProtocol

    protocol = SplitProtocol(warmup, history_len, window, like_threshold, hints)
    prepare_dataset(Console(), dataset, source, output, protocol, max_users, seed)


@app.command()
def audit(
    overrides: Overrides = None,
    config: Config = MAIN_CONFIG,
    max_samples: Annotated[int | None, typer.Option(help="Measure so many records.")] = None,
    char_only: Annotated[bool, typer.Option("--char-only", help="Count characters; needs no tokenizer.")] = False,
) -> None:
    """Measure how long the prompts are, through the very builder of training."""
    from rich.console import Console

    from likely.cli.audit import character_lengths, encode_prompts, print_audit, print_saving, token_lengths
    from likely.config.reading import load_config

    run = load_config(config, overrides or ())
    if char_only:
        print_audit(Console(), character_lengths(run, max_samples), "characters", None)
        return
    encoded = encode_prompts(run, max_samples)
    print_audit(Console(), token_lengths(encoded), "tokens", run.cutoff_len)
    print_saving(Console(), run, encoded)


@app.command()
def tree(
    overrides: Overrides = None,
    config: Config = MAIN_CONFIG,
    user: Annotated[str | None, typer.Option(help="Whose records; by default the first user's.")] = None,
    max_records: Annotated[int, typer.Option(min=1, help="Draw so many of them, from the first on.")] = 6,
    picture: Annotated[Path | None, typer.Option(help="Write the drawing as SVG to this file too.")] = None,
) -> None:
    """Draw one user's training records as the tree that is computed: what they share is there once."""
    from rich.console import Console

    from likely.cli.tree import draw_user
    from likely.config.reading import load_config
    from likely.report.picture import save_picture

    drawing = draw_user(load_config(config, overrides or ()), user, max_records)
    console = Console()
    console.print(drawing)
    if picture:
        save_picture(picture, "likely tree", lambda terminal: terminal.print(drawing))
        console.print(f"Picture written to {_escape(str(picture))}.", soft_wrap=True, highlight=False)


@app.command()
def train(
    overrides: Overrides = None,
    config: Config = MAIN_CONFIG,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
) -> None:
    """Finetune with LoRA, or QLoRA on CUDA."""
    from rich.console import Console

    from likely.cli.train import print_run
    from likely.config.reading import load_config
    from likely.report.terminal import print_next_commands

    run = load_config(config, overrides or ())
    ready_process()
    from likely.cli.report import report_run
    from likely.evaluation.metrics import answer_metrics
    from likely.training.arguments import is_first_process
    from likely.training.run import train as train_run

    console = Console(quiet=not is_first_process())
    finished = train_run(run, _model_path(run.model_name_or_path), console, answer_metrics, resume)
    print_run(console, finished.output_dir, finished.metrics, finished.log)
    if is_first_process():
        report_run(finished.output_dir)
    print_next_commands(
        console,
        finished.output_dir,
        [
            (f"python finetune/scripts/infer_lora.py --adapter-dir {run.output_dir}", "base against adapter"),
            (f"likely evaluate --adapter-dir {run.output_dir}", "with baselines and intervals, into report.html"),
            (f"tensorboard --logdir {run.output_dir}/logs --port 6006", "curves, several runs side by side"),
        ],
    )


@app.command()
def infer(
    overrides: Overrides = None,
    adapter_dir: Annotated[Path, typer.Option(help="Folder of a finished run.")] = MAIN_RUN,
    config: Annotated[Path | None, typer.Option(help="YAML file; by default the run's own.")] = None,
    data: Annotated[Path | None, typer.Option(help="Records; by default the run's test file.")] = None,
    max_samples: Annotated[int | None, typer.Option(help="Score so many records, of whole users.")] = 200,
    output: Annotated[Path | None, typer.Option(help="Write one JSON object a record to this file.")] = None,
    examples: Annotated[int, typer.Option(help="Histories shown.")] = 5,
) -> None:
    """Compare base model and adapter: examples, P(Yes) of both, metrics."""
    from rich.console import Console

    from likely.inference.loaded_run import run_comparison
    from likely.report.summary import summary_table
    from likely.report.terminal import example_table

    console = Console()
    ready_process()
    comparison = run_comparison(console, adapter_dir, config, overrides or (), data, max_samples)
    if examples:
        console.print(example_table(comparison.records, comparison.base, comparison.adapter, examples))
    console.print(summary_table(comparison.rows, f"{len(comparison.records):,} records"))
    if output:
        from likely.inference.loaded_run import write_scores

        write_scores(output, comparison)
        console.print(f"Scores written to {output}.", highlight=False)


@app.command()
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


@app.command()
def evaluate(
    overrides: Overrides = None,
    adapter_dir: Annotated[Path | None, typer.Option(help=f"Folder of a finished run; by default {MAIN_RUN}.")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file; by default the run's own.")] = None,
    data: Annotated[Path | None, typer.Option(help="Records; by default the run's test file.")] = None,
    max_samples: Annotated[int | None, typer.Option(help="Score so many records, of whole users.")] = None,
    base: Annotated[bool, typer.Option("--base/--no-base", help="Ask the base model too: twice the time.")] = True,
    baselines_only: Annotated[bool, typer.Option("--baselines-only", help="No models; needs no adapter.")] = False,
    output: Annotated[Path | None, typer.Option(help=f"Folder of the figures; the run's, or {BASELINES}.")] = None,
) -> None:
    """Measure base, adapter, baselines and a fusion of them on all test rows, with 95% intervals."""
    from rich.console import Console

    console = Console()
    if baselines_only:
        from likely.cli.evaluate import evaluate_baselines
        from likely.config.reading import load_config

        settings = load_config(config or (adapter_dir / "config.yaml" if adapter_dir else MAIN_CONFIG), overrides or ())
        evaluate_baselines(console, settings, data, max_samples, output or adapter_dir or BASELINES)
        return
    ready_process()
    from likely.cli.evaluate import evaluate_run

    folder = adapter_dir or MAIN_RUN
    evaluate_run(console, folder, config, overrides or (), data, max_samples, output or folder, base)


@app.command()
def report(adapter_dir: Annotated[Path, typer.Option(help="Folder of a finished run.")] = MAIN_RUN) -> None:
    """Write report.html of a run anew: one page, with the figures of `likely evaluate` if there are any."""
    from rich.console import Console

    from likely.cli.report import report_run

    page = report_run(adapter_dir)
    Console().print(f"Report written to {_escape(str(page))}.", soft_wrap=True, highlight=False)


@app.command()
def demo(
    output: Annotated[Path, typer.Option(help="Folder of the demo's data and adapter.")] = Path("output/demo"),
    picture: Annotated[Path | None, typer.Option(help="Write the summary as SVG to this file too.")] = None,
) -> None:
    """Run the whole path on this machine: fetch, prepare, audit, finetune, compare."""
    from rich.console import Console

    from likely.cli.demo import run_demo

    ready_process()
    run_demo(Console(), output, picture=picture)


def run(arguments: Sequence[str]) -> int:
    """Run a verb and return its exit status: 2, with one sentence on stderr, for what a user can fix."""
    from rich.console import Console

    try:
        app(list(arguments))
    except LikelyError as error:
        Console(stderr=True).print(
            f"[bold red]likely:[/bold red] {_escape(str(error))}", soft_wrap=True, highlight=False
        )
        return 2
    except SystemExit as leaving:  # how typer ends a command, also one that was typed wrongly
        return int(leaving.code or 0)
    return 0


def main() -> None:
    """Run `likely` with the arguments of the process."""
    sys.exit(run(sys.argv[1:]))


def _model_path(name_or_path: str) -> str:
    from likely.sources.catalogue import resolve_model

    return resolve_model(name_or_path).location


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


if __name__ == "__main__":
    main()
