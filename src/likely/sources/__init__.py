"""Where models and ratings come from: a catalogue of names, downloads, and invented ones where nothing can be had."""

from typing import TYPE_CHECKING

from likely._lazy import lazy_face

if TYPE_CHECKING:
    from likely.sources.catalogue import CATALOGUE as CATALOGUE
    from likely.sources.catalogue import resolve_dataset as resolve_dataset
    from likely.sources.catalogue import resolve_model as resolve_model

__all__, __getattr__, __dir__ = lazy_face(
    __name__,
    {
        "likely.sources.catalogue": ["CATALOGUE", "resolve_dataset", "resolve_model"],
    },
)
