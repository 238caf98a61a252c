"""What the documents tell people to type exists, links lead somewhere, and the Python in them runs."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml

from likely.sources.invented_ratings import make_sample
from processes import start_python

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "finetune/README.md")]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
TYPED = re.compile(r"(?:likely|python finetune/scripts/\w+\.py)(?: .*)?")
LAUNCHED = re.compile(r"(?:torchrun|accelerate launch) .*finetune/scripts/\w+\.py .*")


def code_lines(page: Path) -> list[str]:
    """The lines of a page's code blocks and its pieces of code in running text, continued lines joined."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    return blocks + re.findall(r"`([^`\n]+)`", text)


def commands(form: re.Pattern[str] = TYPED) -> list[str]:
    """All commands of ours in the documents, without comments and what they are redirected to."""
    found = [line for page in PAGES for line in code_lines(page) if form.fullmatch(line) and line != "likely"]
    return sorted({re.split(r" +#| > ", line)[0].strip() for line in found})


def as_verb(command: str) -> list[str]:
    """The words after `likely`; a script stands for a verb and the arguments that it puts before its own."""
    first, *words = shlex.split(command)
    if first == "likely":
        return words
    script = (ROOT / words[0]).read_text(encoding="utf-8")
    return [re.findall(r'main\("(\w+)"', script)[0], *words[1:]]


@pytest.mark.parametrize(
    "command",
    commands(),
)
def test_a_command_in_the_documents_can_be_typed(command):
    import typer.main

    from likely.cli import run
    from likely.cli.app import app
    from likely.config.run_config import RunConfig

    group = typer.main.get_command(app)
    words = as_verb(command)
    if words[-1] in ("--help", "--version"):
        assert run(words) == 0
        return
    if words[0] == "--install-completion":
        assert words[0] in {option for parameter in group.params for option in parameter.opts}
        return
    context = group.make_context("likely", list(words))
    _, verb, rest = group.resolve_command(context, words)
    if not rest:  # a verb that is spoken of
        return
    given = verb.make_context(verb.name, rest, parent=context).params
    for override in given.get("overrides") or ():
        assert override.partition("=")[0] in RunConfig.model_fields
    config = str(given.get("config") or "run.yaml")
    presets = {path.stem for path in (ROOT / "finetune" / "configs").glob("*.yaml")}
    assert config == "run.yaml" or config in presets or (ROOT / config).is_file()


@pytest.mark.parametrize("command", commands(LAUNCHED))
def test_a_command_that_starts_several_processes_can_be_typed(command):
    from accelerate.commands.launch import launch_command_parser
    from torch.distributed.run import get_args_parser

    launcher, *words = shlex.split(command)
    parser = get_args_parser() if launcher == "torchrun" else launch_command_parser()
    given = parser.parse_args(words if launcher == "torchrun" else words[1:])
    script = ["python", given.training_script, *given.training_script_args]
    if script[-1] != "...":
        test_a_command_in_the_documents_can_be_typed(shlex.join(script))


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_the_documents_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def python_of(page: str) -> str:
    (block,) = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return block


def replaced(code: str, **pieces: str) -> str:
    """Code with pieces of its text replaced; each has to be there once."""
    for old, new in pieces.items():
        assert code.count(old) == 1, old
        code = code.replace(old, new)
    return code


@pytest.mark.slow
def test_the_quickstart_runs_as_it_stands_and_says_only_what_it_prints(tmp_path, tiny_base):
    """With invented ratings and a tiny model in place of those that would have to be fetched."""
    make_sample(tmp_path / "ratings")
    small = f"model_name_or_path={tiny_base}', 'max_samples=32', 'max_eval_samples=20', 'cutoff_len=512"
    code = python_of("README.md").replace('"', "'")
    code = replaced(code, **{"ml-latest-small": "ratings", "dataset=none": f"dataset=none', '{small}"})
    exported = "\nassert likely.export('output/first', 'output/model').agreement.rows == 50\n"
    said, status = start_python(code + exported, tmp_path, tmp_path / "said.txt").ended()
    assert status == 0, said
    assert (tmp_path / "output" / "first" / "adapter_model.safetensors").is_file()
    assert (tmp_path / "output" / "model" / "model.safetensors").is_file()
    lines = said.splitlines()
    assert sorted(line.split(": ")[0] for line in lines) == ["Babe", "Ronin"]
    assert all(0 <= float(line.split(": ")[1]) <= 1 for line in lines)


def test_pairs_are_cut_into_files_that_keep_a_user_together(tmp_path, monkeypatch):
    """The Python of the page on scale."""
    import polars as pl

    monkeypatch.chdir(tmp_path)
    pl.DataFrame({"user_id": [1, 2, 1, 3, 2, 1], "row": range(6)}).write_parquet("pairs.parquet")
    exec(replaced(python_of("docs/guides/scale.md"), **{"50_000": "4"}), {})
    parts = [pl.read_parquet(path)["row"].to_list() for path in sorted((tmp_path / "pairs").iterdir())]
    assert parts == [[0, 2, 5, 1], [4, 3]]


def test_the_version_is_the_same_everywhere():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == version
    assert f"\n## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").replace("[", "").replace("]", "")


def test_the_map_of_packages_is_what_the_import_contract_holds():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    held = [{name.strip().removeprefix("likely.") for name in layer.split("|")} for layer in reversed(layers)]
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    shown = [set(re.findall(r"`(\w+)`", row)) for row in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)]
    assert shown == held
