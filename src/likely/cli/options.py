"""Options that several verbs have in common, and where things are unless a user says otherwise."""

import os
import shlex
import shutil
import sys
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from likely.errors import LikelyError

MAIN_CONFIG = "qwen3_movielens_qlora"
PREPARED = Path("finetune/data/movielens_qwen3")
MAIN_RUN = Path("output/qwen3-movielens-qlora")
BASELINES = Path("output/baselines")


def typed(command: str) -> str:
    """Return how a user types a command of this environment: by its name, or by its path where that finds no such one.

    Args:
        command: name of an installed script, such as `likely`.
    """
    beside_python = Path(sys.executable).with_name(command)
    found = shutil.which(command)
    if not beside_python.exists() or (found and os.path.samefile(found, beside_python)):
        return command
    is_below = beside_python.is_relative_to(Path.cwd())
    return shlex.quote(str(beside_python.relative_to(Path.cwd()) if is_below else beside_python))


def preset_names() -> list[str]:
    """Return the names that a shell completes."""
    from likely.config.presets import PRESETS

    return list(PRESETS)


Config = Annotated[
    str, typer.Option("--config", help="YAML file, or a preset of likely config.", autocompletion=preset_names)
]
RunFolder = Annotated[Path, typer.Option("--adapter-dir", "--run", help="Folder of a finished run.")]
Overrides = Annotated[list[str] | None, typer.Argument(help="key=value, over the YAML file.", metavar="KEY=VALUE")]


class Verb(TyperCommand):
    """A verb that tells somebody who gives a key of the configuration as an option how to write it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Look for such an option before all are parsed."""
        options = {option for parameter in self.params for option in (*parameter.opts, *parameter.secondary_opts)}
        if any(parameter.name == "overrides" for parameter in self.params):
            for option, following in pairwise([*args, "..."]):
                name, equals, value = option.partition("=")
                key = name.removeprefix("--").replace("-", "_")
                if name.startswith("--") and f"--{key.replace('_', '-')}" not in options and _is_key(key):
                    raise LikelyError(
                        f"{name} is not an option; write {key}={value if equals else following} without dashes."
                    )
        return super().parse_args(ctx, args)


def _is_key(name: str) -> bool:
    from likely.config.run_config import RunConfig
    from likely.config.spellings import NO_EFFECT, RENAMED

    return name in {*RunConfig.model_fields, *RENAMED, *NO_EFFECT}
