"""Ratings become records without leaks from the future; records on disk."""

from typing import TYPE_CHECKING

from likely._lazy import lazy_face

if TYPE_CHECKING:
    from likely.data.movielens import read_movielens as read_movielens
    from likely.data.preparation import prepare as prepare
    from likely.data.protocol import SplitProtocol as SplitProtocol
    from likely.data.ratings import RatingTable as RatingTable
    from likely.data.ratings import read_ratings as read_ratings
    from likely.data.records import Labels as Labels
    from likely.data.records import Record as Record
    from likely.data.records import read_records as read_records
    from likely.data.records import write_records as write_records

__all__, __getattr__, __dir__ = lazy_face(
    __name__,
    {
        "likely.data.movielens": ["read_movielens"],
        "likely.data.preparation": ["prepare"],
        "likely.data.protocol": ["SplitProtocol"],
        "likely.data.ratings": ["RatingTable", "read_ratings"],
        "likely.data.records": ["Labels", "Record", "read_records", "write_records"],
    },
)
