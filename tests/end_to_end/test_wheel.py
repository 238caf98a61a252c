"""The package works where it is installed, from any folder: nothing of it needs the repository."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest

from likely.config.reading import load_config

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Command `likely` of a fresh environment: the wheel, and beside it only the packages of this one."""
    folder = tmp_path_factory.mktemp("installed")
    sources = folder / "sources"  # a build leaves files among its sources
    sources.mkdir()
    for name in ("pyproject.toml", "README.md", *(path.name for path in ROOT.glob("LICENSE*"))):
        shutil.copy(ROOT / name, sources)
    shutil.copytree(ROOT / "src" / "likely", sources / "src" / "likely", ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(sources)]
    subprocess.run(build, check=True, timeout=60)
    (wheel,) = folder.glob("likely-*.whl")
    venv.create(folder / "env", symlinks=True)
    python = folder / "env" / "bin" / "python"
    install = ["--python", str(python), "install", "--quiet", "--no-index", "--no-deps", str(wheel)]
    subprocess.run([*pip, *install], check=True, timeout=60)
    (own,) = (folder / "env" / "lib").glob("python*/site-packages")
    (own / "others.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
    return folder / "env" / "bin" / "likely"


@pytest.fixture
def likely(installed, tmp_path):
    """Run the installed command in an empty folder, where tmp_path is one, and return what it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    settings = {"cwd": tmp_path, "env": environment | {"HF_HUB_OFFLINE": "1"}, "capture_output": True, "text": True}

    def run(*arguments):
        told = subprocess.run([installed, *arguments], timeout=300, **settings)
        assert told.returncode == 0, told.stderr
        assert "warn" not in told.stderr.lower(), told.stderr
        return told.stdout

    return run


def test_the_command_answers_from_an_empty_folder(likely):
    assert likely("--version") == f"likely {version('likely')}\n"
    assert "qwen3_movielens_qlora" in likely("config")


def test_the_installed_package_is_the_one_that_runs(installed):
    code = "import likely; print(likely.__file__)"
    told = subprocess.run(
        [installed.parent / "python", "-I", "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert told.stdout.startswith(str(installed.parent.parent))


def test_a_preset_trains_on_files_of_ones_own_from_an_empty_folder(likely, records, tiny_base, tmp_path):
    (tmp_path / "run.yaml").write_text(likely("config", "qwen3_movielens_qlora"))
    assert load_config(tmp_path / "run.yaml") == load_config("qwen3_movielens_qlora")
    rows = [
        {"instruction": record.instruction, "input": record.input, "output": record.output, "user_id": record.user_id}
        for record in records
    ]
    (tmp_path / "records.json").write_text(json.dumps(rows))
    files = ["dataset=none", "train_file=records.json", "eval_file=records.json", f"model_name_or_path={tiny_base}"]
    small = ["max_steps=2", "eval_steps=2", "lora_rank=2", "cutoff_len=512", "report_to=none", "output_dir=out"]
    likely("train", "--config", "qwen3_movielens_qlora", *files, *small)
    assert (tmp_path / "out" / "adapter_model.safetensors").is_file()
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["train"]["steps"] == 2


def test_every_package_that_is_imported_is_declared():
    extras = PROJECT["optional-dependencies"]
    optional = [*extras["qlora"], *extras["serve"], *extras["ray"]]
    declared = {re.match(r"[\w.-]+", line)[0].lower() for line in [*PROJECT["dependencies"], *optional]}
    distributions = packages_distributions()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            for name in {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"likely"}:
                owners = {owner.lower() for owner in distributions.get(name, [name])}
                assert owners & declared, f"{path.name} imports {name}, which pyproject.toml does not name"
