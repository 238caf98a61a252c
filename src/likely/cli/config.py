"""`likely config`: the configurations that come with the package, listed or written as YAML."""

from typing import Annotated

import typer

from likely.cli.options import preset_names
from likely.errors import LikelyError, did_you_mean


def config(
    name: Annotated[
        str | None, typer.Argument(help="A preset to write as YAML.", autocompletion=preset_names, show_default=False)
    ] = None,
) -> None:
    """List the presets, or write one to edit: likely config NAME > run.yaml."""
    from likely.config.presets import PRESETS, preset_yaml

    if name is None:
        width = max(map(len, PRESETS))
        for preset_name, preset in PRESETS.items():
            typer.echo(f"{preset_name:<{width}}  {preset.about}")
    elif name in PRESETS:
        typer.echo(preset_yaml(name), nl=False)
    else:
        hint = did_you_mean(name, PRESETS) or "likely config lists those there are."
        raise LikelyError(f"There is no preset {name!r}; {hint}")
