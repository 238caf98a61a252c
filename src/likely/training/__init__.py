"""From a configuration to an adapter on disk."""

from typing import TYPE_CHECKING

from likely._lazy import lazy_face

if TYPE_CHECKING:
    from likely.training.run import TrainedRun as TrainedRun
    from likely.training.run import train as train

__all__, __getattr__, __dir__ = lazy_face(
    __name__,
    {
        "likely.training.run": ["TrainedRun", "train"],
    },
)
