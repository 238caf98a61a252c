"""Options that several verbs have in common, and where things are unless a user says otherwise."""

from pathlib import Path
from typing import Annotated

import typer

MAIN_CONFIG = Path("finetune/configs/qwen3_movielens_qlora.yaml")
PREPARED = Path("finetune/data/movielens_qwen3")
MAIN_RUN = Path("output/qwen3-movielens-qlora")
BASELINES = Path("output/baselines")

Config = Annotated[Path, typer.Option("--config", help="YAML file with every knob.")]
RunFolder = Annotated[Path, typer.Option("--adapter-dir", "--run", help="Folder of a finished run.")]
Overrides = Annotated[list[str] | None, typer.Argument(help="key=value, over the YAML file.", metavar="[KEY=VALUE]...")]
