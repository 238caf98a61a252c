"""The kinds of input: which file or argument is drawn anew, and which verb has to put up with it."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from fuzz.cases import COMMAND, Case, as_file
from fuzz.mutations import WORDS, Draw, archive, damaged, json_text, odd_number, packed, parquet, table, yaml_text
from fuzz.world import TABLE
from likely.config.run_config import RunConfig
from likely.config.spellings import HARDWARE_ONLY, NO_EFFECT, RENAMED
from likely.config.table_config import TableConfig
from likely.data.task import BLEND_FILES

KEYS = (*RunConfig.model_fields, *RENAMED, *NO_EFFECT, *HARDWARE_ONLY, "bf16", "fp16")
COUNT = ("audit", "--char-only", "--config", "run.yaml")
RANK = ("rank", "--run", "run", "--history", "history.json", "--candidates", "candidates.json")
PREPARE = ("prepare", "--output", "made", "--warmup", "4", "--history-len", "3", "--source")
RESUME = ("train", "--resume", "--config", "run.yaml", "output_dir=run")
READERS_OF_A_RUN = (("report", "--run", "run"), ("infer", "--run", "run", "--max-samples", "4"), RANK)
RUN_FILES = (
    "config.yaml",
    "task.json",
    "metrics.json",
    "evaluation.json",
    "evaluation_rows.jsonl",
    "adapter_config.json",
)
READERS_OF_AN_ANSWER = (
    ("rank", "--run", "answering", *RANK[3:], "--output", "data/a.jsonl"),
    ("predict", "--run", "answering", "--data", "data/prepared/test.json", "--output", "data/a.jsonl"),
    ("serve", "--run", "answering", "--port", "0"),
)
CHECKPOINT_FILES = ("checkpoint.json", "trainer_state.json", "adapter_config.json", "optimizer.pt", "rng_state.pth")
MODEL_FILES = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "generation_config.json",
    "chat_template.jinja",
)


TABLE_FILES = {"ratings": "hours", "items": "games"}
FLAGS = ("implicit",)
OF_TABLES = tuple(
    key
    for key in TableConfig.model_fields
    if f"--{key.replace('_', '-')}" in {name for option in COMMAND.commands["prepare"].params for name in option.opts}  # type: ignore[attr-defined]
)


def configuration(draw: Draw, world: Path) -> Case:
    """A YAML file."""
    verb = draw.choice(
        (COUNT,) * 8 + (("train", "--config", "run.yaml"), ("evaluate", "--config", "run.yaml", "--run", "run"))
    )
    good = _read(world / "run.yaml").decode()
    return Case(verb, {"run.yaml": as_file(yaml_text(draw, KEYS, good))})


def override(draw: Draw, world: Path) -> Case:
    """Arguments key=value."""
    verb = draw.choice((COUNT,) * 8 + (("train", "--config", "run.yaml"), ("tree", "--config", "run.yaml")))
    return Case([*verb, *(_override(draw) for _ in range(draw.choice((1, 1, 2))))])


def _override(draw: Draw) -> str:
    word = draw.choice((*WORDS, "[", "['a', 1]", '"a\\0b"', '"\\ud800"', "'x'", "[[[", "[" * 5000, "\udcff"))
    return draw.choice((f"{draw.choice(KEYS)}={word}",) * 8 + (f"{word}=1", word, f" seed ={word}"))


RECORDS = (
    *(("tiny.json", "tiny"), ("tiny.jsonl", "tiny"), ("turns.json", "turns"), ("tiny.csv", "tiny")),
    *(("tiny.parquet", "tiny"), ("messages.jsonl", "tiny")),
)


def records(draw: Draw, world: Path) -> Case:
    """Records in the formats of Alpaca, ShareGPT and OpenAI, as a list, lines or a table."""
    name, dataset = draw.choice(RECORDS)
    content = _rows(draw, world / "data" / name)
    path = f"data/{name}"
    keys = [f"dataset={dataset}"] if name.endswith(".json") else [f"dataset={dataset}", f"train_file={path}"]
    scored = draw.choice(("scored.csv", "scored.jsonl", "scored.parquet"))
    command = draw.choice(
        ([*COUNT, *keys],) * 16
        + (["evaluate", "--baselines-only", "--config", "run.yaml", "--max-samples", "6", *keys],)
        + (["predict", "--run", "run", "--data", path, "--output", scored],) * 2
        + (["render", "--run", "run", "--data", path, "--row", draw.choice(("1", "3", "12"))],)
    )
    return Case(command, {path: as_file(content)})


def _rows(draw: Draw, path: Path) -> bytes:
    """Return a file of rows with something wrong in it, by what its name ends in."""
    content = _read(path)
    if path.suffix == ".parquet":
        return parquet(draw, pl.read_parquet(path).to_dicts())
    if draw.random() < 0.4:
        return damaged(draw, content)
    if path.suffix == ".json":
        return json_text(draw, json.loads(content))
    if path.suffix != ".jsonl":
        return table(draw, content)
    lines = content.splitlines()
    place = draw.randrange(len(lines))
    lines[place] = json_text(draw, json.loads(lines[place]))
    return b"\n".join(lines)


def registry(draw: Draw, world: Path) -> Case:
    """dataset_info.json."""
    content = _json(draw, world / "data" / "dataset_info.json")
    odd: Any = draw.choice((as_file(content),) * 20 + ({"folder": True}, {"gone": True}))
    return Case(
        [*COUNT, f"dataset={draw.choice(('tiny', 'turns', 'prepared', draw.choice(WORDS)))}"],
        {"data/dataset_info.json": odd},
    )


def ratings(draw: Draw, world: Path) -> Case:
    """A MovieLens release as a folder or a zip."""
    release = draw.choice(("csv", "dat", "tabs", "recbole"))
    files = {path.name: _read(path) for path in sorted((world / "ratings" / release).iterdir())}
    name = draw.choice(list(files))
    if draw.random() < 0.7 or release == "tabs":
        command = [*PREPARE, f"ratings/{release}", *draw.choice(([], [], ["--hints"]))]
        return Case(command, {f"ratings/{release}/{name}": as_file(table(draw, files[name]))})
    if draw.random() < 0.3:
        files[name] = table(draw, files[name])
    return Case([*PREPARE, "ratings/ml.zip"], {"ratings/ml.zip": as_file(archive(draw, files))})


def tables(draw: Draw, world: Path) -> Case:
    """A table of a user's own: its files, its description in YAML, or options over it."""
    endings = [draw.choice((".csv", ".tsv", ".jsonl", ".parquet")) for _ in range(2)]
    names = {key: f"tables/{name}{end}" for (key, name), end in zip(TABLE_FILES.items(), endings, strict=True)}
    command = ["prepare", "--output", "made", "--warmup", "4", "--history-len", "3"]
    what = draw.random()
    if what < 0.3:
        keys = [key for key in TableConfig.model_fields if draw.random() < 0.9]
        text = yaml_text(draw, keys, _read(world / "tables" / "table.yaml").decode())
        return Case([*command, "--data", "tables/table.yaml"], {"tables/table.yaml": as_file(text)})
    described = {**TABLE, **names}
    files: dict[str, Any] = {}
    if what < 0.45:
        for key in draw.sample(list(OF_TABLES), draw.choice((1, 1, 2))):
            described[key] = draw.choice((*WORDS, *TABLE.values())) if key not in FLAGS else True
    else:
        key = draw.choice(list(names))
        content = _rows(draw, world / names[key])
        if draw.random() < 0.2:
            described[key], content = f"{names[key]}.gz", packed(draw, content)
        files[described[key]] = as_file(content)
    for key, value in described.items():
        option = f"--{key.replace('_', '-')}"
        command += [option] if key in FLAGS else [f"{option}={value}".replace("\0", "")]
    return Case(command, files)


def movies(draw: Draw, world: Path) -> Case:
    """A history or candidates of `rank`."""
    name = draw.choice(("history.json", "candidates.json"))
    return Case(RANK, {name: as_file(_json(draw, world / name))})


def run_folder(draw: Draw, world: Path) -> Case:
    """What a finished run leaves."""
    name = draw.choice(RUN_FILES)
    verb = draw.choice(READERS_OF_A_RUN[:1] * 4 + READERS_OF_A_RUN if name in RUN_FILES[:5] else READERS_OF_A_RUN[1:])
    return Case(verb, {f"run/{name}": _damage(draw, world / "run" / name)})


def kept_answer(draw: Draw, world: Path) -> Case:
    """What a run keeps of its answer; a table may be another one that blend.json takes for the right one."""
    blend, *tables = BLEND_FILES
    name, verb = draw.choice((blend, *BLEND_FILES)), draw.choice(READERS_OF_AN_ANSWER)
    path = world / "answering" / name
    if name == blend or draw.random() < 0.3:
        return Case(verb, {f"answering/{name}": _damage(draw, path)})
    assert name in tables
    rows = pl.read_parquet(path)
    content = odd_number(draw, rows) if draw.random() < 0.5 else parquet(draw, rows.to_dicts())
    kept = json.loads(_read(world / "answering" / blend))
    kept["sha256"][name] = hashlib.sha256(content).hexdigest()
    return Case(verb, {f"answering/{name}": as_file(content), f"answering/{blend}": json.dumps(kept)})


def checkpoint(draw: Draw, world: Path) -> Case:
    """What a training that goes on reads."""
    if draw.random() < 0.1:
        name = draw.choice(("checkpoint-6-good", "checkpoint-", "checkpoint-999999999999999999999", "checkpoint-3"))
        return Case(RESUME, {f"run/{name}": draw.choice(({"folder": True}, "a file"))})
    files = {
        f"run/checkpoint-2/{name}": _damage(draw, world / "run" / "checkpoint-2" / name)
        for name in draw.sample(CHECKPOINT_FILES, draw.choice((1, 1, 2)))
    }
    if draw.random() < 0.5:  # as an earlier version left it, so that all of it is read
        files.setdefault("run/checkpoint-2/checkpoint.json", {"gone": True})
    return Case(RESUME, files)


def model(draw: Draw, world: Path) -> Case:
    """A base model or an adapter whose files are damaged."""
    verb = draw.choice((("audit", "--config", "run.yaml"), ("train", "--config", "run.yaml"), *READERS_OF_A_RUN[1:]))
    weights = draw.choice(("base/model.safetensors", "run/adapter_model.safetensors"))
    size = (world / weights).stat().st_size
    place = draw.choice((draw.randrange(200), draw.randrange(size)))
    changes: Any = draw.choice(({"cut": place}, {"flip": [place]}, {"gone": True}, {"folder": True}, "x" * 20))
    if draw.random() < 0.4 and verb[0] != "audit":
        return Case(verb, {weights: changes})
    name = draw.choice(MODEL_FILES)
    return Case(verb, {f"base/{name}": _damage(draw, world / "base" / name)})


def command_line(draw: Draw, world: Path) -> Case:
    """Any options of any verb, by what the command itself says that it takes."""
    name = draw.choice([*COMMAND.commands, "demo"])  # type: ignore[attr-defined]
    verb = COMMAND.commands[name]  # type: ignore[attr-defined]
    options = [parameter for parameter in verb.params if parameter.param_type_name == "option"]
    good = {
        "infer": ["--run", "run"],
        "evaluate": ["--run", "run", "--max-samples", "4"],
        "rank": [*RANK[1:]],
        "report": ["--run", "run"],
        "predict": ["--run", "run", "--data", "data/tiny.jsonl", "--output", "scored.csv"],
        "serve": ["--run", "run", "--port", "0"],
        "export": ["--run", "run", "--output", "exported", "--to", "merged"],
        "render": ["--run", "run", "--row", "1"],
    }
    good |= {
        "score": good["rank"],
        "prepare": [*PREPARE[1:], "ratings/csv"],
        "config": [],
        "demo": ["--output", "run.yaml"],
    }
    words: list[str] = [name, *good.get(name, ["--config", "run.yaml"])]
    for option in draw.choices(options, k=draw.choice((1, 1, 2, 3))) if options else ():
        if name == "demo" and option.name == "output":
            words += ["--output", draw.choice(("run.yaml", "/dev/null/x", "run.yaml/x", "x" * 300, "base/config.json"))]
            continue
        words.append(draw.choice((*option.opts, *option.secondary_opts)))
        if not option.is_flag or draw.random() < 0.05:
            words.append(_argument(draw))
    if draw.random() < 0.2:
        words.insert(
            draw.randrange(1, len(words) + 1), draw.choice((_argument(draw), "--nothing", "--lora-rank=3", "--seed"))
        )
    return Case(words)


def _argument(draw: Draw) -> str:
    numbers = (
        "0",
        "-1",
        "-0",
        "1",
        "2",
        "5000",
        "4294967296",
        str(2**63),
        str(10**30),
        "1.5",
        "nan",
        "inf",
        "-inf",
        "1e400",
    )
    word = draw.choice((draw.choice(numbers), draw.choice(WORDS), "\udcff"))
    return word.replace("\0", "")


def _damage(draw: Draw, path: Path) -> Any:
    """Return a file's content with something wrong in it, or what may be in its place."""
    what = draw.random()
    if what < 0.05:
        return draw.choice(({"gone": True}, {"folder": True}))
    if path.suffix == ".jsonl":
        lines = _read(path).splitlines()
        lines[0] = json_text(draw, json.loads(lines[0]))
        return as_file(b"\n".join(lines) + b"\n" if what < 0.6 else damaged(draw, _read(path)))
    if path.suffix == ".yaml":
        return as_file(yaml_text(draw, KEYS, _read(path).decode()))
    return as_file(_json(draw, path) if path.suffix == ".json" else damaged(draw, _read(path)))


def _json(draw: Draw, path: Path) -> bytes:
    content = _read(path)
    return json_text(draw, json.loads(content)) if draw.random() < 0.7 else damaged(draw, content)


def _read(path: Path) -> bytes:
    return path.read_bytes()


KINDS: dict[str, tuple[int, Callable[[Draw, Path], Case]]] = {
    "configuration": (3500, configuration),
    "override": (3000, override),
    "records": (4000, records),
    "registry": (2500, registry),
    "ratings": (2000, ratings),
    "tables": (2000, tables),
    "command line": (1200, command_line),
    "movies": (500, movies),
    "run folder": (500, run_folder),
    "kept answer": (100, kept_answer),
    "checkpoint": (300, checkpoint),
    "model": (400, model),
}
"""How many of 20,000 inputs are of each kind: those that load a model cost ten times as much as the others."""
