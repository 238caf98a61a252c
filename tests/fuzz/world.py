"""A folder in which every verb of `likely` ends well: ratings, records, a tiny base model and a finished run.

Made once for a process; `cases` copies it, damages the copy and runs a verb in it. Paths inside are relative, so that
a verb runs with the copy as its working directory.
"""

import json
import os
import random
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from likely.config.run_config import RunConfig
from likely.data.movielens import read_movielens
from likely.data.preparation import prepare
from likely.data.protocol import SplitProtocol
from likely.data.records import Labels, read_records, write_records
from likely.data.task import dump_task, ratings_task
from support import make_record, rows_of

SETTINGS = {
    "model_name_or_path": "base",
    "dataset_dir": "data",
    "dataset": "tiny",
    "output_dir": "out",
    "cutoff_len": 512,
    "eval_steps": 2,
    "logging_steps": 1,
    "lora_rank": 4,
    "max_steps": 2,
}
HISTORY = [{"title": "Matrix, The (1999)", "genres": "Action|Sci-Fi", "rating": 5}, {"title": "Heat", "rating": 2.5}]
CANDIDATES = [{"title": "Ronin", "year": 1998, "genres": ["Action"], "id": 7}, {"title": "Alien (1979)"}]
COLUMNS = ["user_id:token", "item_id:token", "rating:float", "timestamp:float"]
ITEM_COLUMNS = ["item_id:token", "movie_title:token_seq", "release_year:token", "class:token_seq"]
TABLE = {
    "ratings": "tables/hours.csv",
    "items": "tables/games.csv",
    "user": "player",
    "item": "game",
    "rating": "hours",
    "time": "day",
    "title": "name",
    "details": "maker",
    "year": "year",
    "noun": "game",
    "scale": "1-10",
    "like_threshold": 6,
}


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Make a folder the working directory for a while."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def make_world(folder: Path) -> Path:
    """Fill a folder and return it."""
    with inside(folder):
        make_ratings(Path("ratings"))
        make_tables(Path("tables"))
        make_data(Path("data"))
        make_base(Path("base"))
        for name, rows in (("history.json", HISTORY), ("candidates.json", CANDIDATES)):
            Path(name).write_text(json.dumps(rows), encoding="utf-8")
        settings = "".join(f"{key}: {value}\n" for key, value in SETTINGS.items())
        Path("run.yaml").write_text(settings, encoding="utf-8")
        make_run(Path("run"))
        make_answering(Path("answering"))
    return folder


def make_ratings(folder: Path) -> None:
    """Write the same ratings in the four spellings of MovieLens, and one of them as a zip."""
    draw = random.Random(0)
    ratings = [
        (user, movie, draw.randrange(2, 11) / 2) for user in range(1, 6) for movie in draw.sample(range(1, 21), 12)
    ]
    titles = {movie: f"Movie {movie}, The ({1950 + movie})" for movie in range(1, 21)}
    for name in ("csv", "dat", "tabs", "recbole"):
        (folder / name).mkdir(parents=True)
    rows = [(user, movie, stars, 978300000 + 60 * place) for place, (user, movie, stars) in enumerate(ratings)]
    files = {
        "csv/ratings.csv": ("userId,movieId,rating,timestamp", ",", rows),
        "csv/movies.csv": (
            "movieId,title,genres",
            ",",
            [(m, f'"{title}"', "Drama|War") for m, title in titles.items()],
        ),
        "dat/ratings.dat": ("", "::", rows),
        "dat/movies.dat": ("", "::", [(m, title, "Drama|War") for m, title in titles.items()]),
        "tabs/u.data": ("", "\t", rows),
        "tabs/u.item": (
            "",
            "|",
            [(m, t, "", "", "", *[int(m % 19 == g) for g in range(19)]) for m, t in titles.items()],
        ),
        "recbole/ml-100k.inter": ("\t".join(COLUMNS), "\t", rows),
        "recbole/ml-100k.item": ("\t".join(ITEM_COLUMNS), "\t", [(m, t, 1950, "Drama War") for m, t in titles.items()]),
    }
    for name, (header, separator, lines) in files.items():
        text = "".join(f"{separator.join(map(str, line))}\n" for line in lines)
        (folder / name).write_text((f"{header}\n" if header else "") + text, encoding="utf-8")
    with zipfile.ZipFile(folder / "ml.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("ratings.csv", "movies.csv"):
            archive.write(folder / "csv" / name, f"ml/{name}")


def make_tables(folder: Path) -> None:
    """Write ratings of games as a table of a user's own in several formats, what the games are, and its description."""
    folder.mkdir()
    draw = random.Random(0)
    hours = [
        {"player": f"p{user}", "game": f"g{game}", "hours": draw.randrange(1, 11), "day": f"2024-03-{day:02}"}
        for user in range(6)
        for day, game in enumerate(draw.sample(range(15), 10), start=1)
    ]
    games = [
        {"game": f"g{game}", "name": f"Game {game}, The", "maker": "A|B", "year": 1990 + game} for game in range(15)
    ]
    for name, rows in (("hours", hours), ("games", games)):
        table = pl.DataFrame(rows)
        table.write_csv(folder / f"{name}.csv")
        table.write_csv(folder / f"{name}.tsv", separator="\t")
        table.write_parquet(folder / f"{name}.parquet")
        table.write_ndjson(folder / f"{name}.jsonl")
    (folder / "table.yaml").write_text("".join(f"{key}: {value}\n" for key, value in TABLE.items()), encoding="utf-8")


def make_data(folder: Path) -> None:
    """Write records in Alpaca's and ShareGPT's format, what they are called, and records as `likely prepare` makes."""
    folder.mkdir()
    rows = rows_of(make_record(user, history) for user in range(4) for history in range(3, 6))
    write_records(folder / "tiny.json", rows)
    write_records(folder / "tiny.jsonl", rows)
    turns = [
        {"conversations": [{"from": "human", "value": row["input"]}, {"from": "gpt", "value": row["output"]}]}
        for row in rows
    ]
    write_records(folder / "turns.json", turns)
    pl.DataFrame(rows).write_csv(folder / "tiny.csv")
    pl.DataFrame(rows).write_parquet(folder / "tiny.parquet")
    messages = [
        {"messages": [{"role": "user", "content": row["input"]}, {"role": "assistant", "content": row["output"]}]}
        for row in rows
    ]
    write_records(folder / "messages.jsonl", messages)
    files = {"file_name": "tiny.json", "file_name_eval": "tiny.json", "file_name_test": "tiny.json"}
    entries = {
        "tiny": {**files, "columns": {"prompt": "instruction", "query": "input", "response": "output"}},
        "turns": {"file_name": "turns.json", "formatting": "sharegpt", "columns": {"messages": "conversations"}},
    }
    (folder / "dataset_info.json").write_text(json.dumps(entries, indent=2), encoding="utf-8")
    prepare(
        read_movielens(Path("ratings/csv")), folder / "prepared", SplitProtocol(4, 3, hints=True, eval_fraction=0.3)
    )


def make_base(folder: Path) -> None:
    """Write a tiny Llama with random weights."""
    from likely.sources.tiny_model import TinyShape, chat_prompt, make_tiny_base

    texts = [chat_prompt(f"{row.instruction}\n{row.input}") for row in read_records(Path("data/tiny.json"), Labels())]
    make_tiny_base(folder, texts, TinyShape(vocabulary=400, hidden=32, layers=1, steps=0))


def make_run(folder: Path) -> None:
    """Write what a finished run leaves, without a training: its adapter is fresh and its figures are invented."""
    import torch
    from transformers.trainer_callback import TrainerState

    from likely.config.reading import dump_config
    from likely.evaluation.run import evaluate
    from likely.evaluation.storage import save_evaluation
    from likely.model.adapter import Lora, add_adapter
    from likely.model.base import choose_precision, load_base, load_tokenizer
    from likely.training.checkpoints import publish, staging_of
    from likely.training.run_folder import leave_adapter, leave_figures

    config = RunConfig(**{**SETTINGS, "output_dir": str(folder)})
    folder.mkdir()
    adapted = add_adapter(load_base("base", choose_precision("float32", None), "sdpa"), Lora(4, 8, 0.0, ["q_proj"]))
    texts = {"config.yaml": dump_config(config), "task.json": dump_task(ratings_task(SplitProtocol(4, 3, hints=True)))}
    leave_adapter(folder, adapted, load_tokenizer("base"), texts)
    log = [{"step": 1, "loss": 0.7, "epoch": 0.5}, {"step": 2, "eval_loss": 0.6, "eval_auc": 0.5, "epoch": 1.0}]
    train = {"steps": 2, "records": 12, "seconds": 1.5}
    versions = {"likely": "0.1.0", "torch": torch.__version__}
    evaluated = {"eval_loss": 0.6, "eval_auc": 0.5}
    figures = {"best_step": 2, "eval": evaluated, "train": train, "versions": versions, "python": "3.12.1"}
    leave_figures(folder, figures, log, "A card.\n")
    save_evaluation(folder, evaluate(folder, config).evaluation)
    staging = staging_of(folder, 2)
    staging.mkdir()
    adapted.save_pretrained(str(staging), save_embedding_layers=False)
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        torch.save({"state": torch.zeros(4)}, staging / name)
    TrainerState(global_step=2, max_steps=4, best_global_step=2, log_history=log).save_to_json(
        str(staging / "trainer_state.json")
    )
    publish(staging, {"made_with": {}, "run_name": "first", "seconds": 1.5})


def make_answering(folder: Path) -> None:
    """Write a run of prepared records, evaluated, so that its folder keeps an answer."""
    from likely.config.reading import dump_config
    from likely.data.task import TASK_FILE, dump_task, task_of
    from likely.evaluation.blend import save_blend
    from likely.evaluation.run import evaluate

    shutil.copytree("run", folder, ignore=shutil.ignore_patterns("checkpoint-*"))
    files = {f"{split}_file": f"data/prepared/{split}.json" for split in ("train", "eval", "test")}
    config = RunConfig(**{**SETTINGS, "dataset": None, "output_dir": str(folder), **files})
    (folder / "config.yaml").write_text(dump_config(config), encoding="utf-8")
    (folder / TASK_FILE).write_text(dump_task(task_of(Path(files["train_file"]))), encoding="utf-8")
    findings = evaluate(folder, config, with_base=False, text_features=False)
    assert findings.fitted is not None
    assert findings.adapter is not None
    save_blend(folder, findings.fitted, findings.adapter, config)
