"""`likely`: finetune a small language model to answer *will this user like this movie?*

    import likely

    likely.prepare("ml-latest-small", "data")
    run = likely.train(likely.load_config("run.yaml"))
    ranker = likely.Ranker.load(run.output_dir)

The verbs of the command as functions (`likely.api`) and what they take and give. Nothing is printed, and nothing heavy
is imported before it is used.
"""

from typing import TYPE_CHECKING

from likely._lazy import lazy_face

if TYPE_CHECKING:
    from likely._version import __version__ as __version__
    from likely.api import evaluate as evaluate
    from likely.api import export as export
    from likely.api import prepare as prepare
    from likely.api import train as train
    from likely.config.reading import load_config as load_config
    from likely.errors import LikelyError as LikelyError
    from likely.errors import StoppedError as StoppedError
    from likely.inference.loaded_run import LoadedRun as LoadedRun
    from likely.inference.movies import Movie as Movie
    from likely.inference.movies import RatedMovie as RatedMovie
    from likely.inference.ranking import Ranker as Ranker

__all__, __getattr__, __dir__ = lazy_face(
    __name__,
    {
        "likely._version": ["__version__"],
        "likely.api": ["evaluate", "export", "prepare", "train"],
        "likely.config.reading": ["load_config"],
        "likely.errors": ["LikelyError", "StoppedError"],
        "likely.inference.loaded_run": ["LoadedRun"],
        "likely.inference.movies": ["Movie", "RatedMovie"],
        "likely.inference.ranking": ["Ranker"],
    },
)
