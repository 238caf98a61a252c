"""A finished run, loaded: P(Yes) for records, rankings for a person."""

from typing import TYPE_CHECKING

from likely._lazy import lazy_face

if TYPE_CHECKING:
    from likely.inference.movies import Movie as Movie
    from likely.inference.movies import RatedMovie as RatedMovie
    from likely.inference.ranking import Ranker as Ranker

__all__, __getattr__, __dir__ = lazy_face(
    __name__,
    {
        "likely.inference.movies": ["Movie", "RatedMovie"],
        "likely.inference.ranking": ["Ranker"],
    },
)
