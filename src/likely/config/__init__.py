"""Every knob of a run: typed, checked and explained."""

from typing import TYPE_CHECKING

from likely._lazy import lazy_face

if TYPE_CHECKING:
    from likely.config.reading import dump_config as dump_config
    from likely.config.reading import load_config as load_config
    from likely.config.run_config import RunConfig as RunConfig

__all__, __getattr__, __dir__ = lazy_face(
    __name__,
    {
        "likely.config.reading": ["dump_config", "load_config"],
        "likely.config.run_config": ["RunConfig"],
    },
)
