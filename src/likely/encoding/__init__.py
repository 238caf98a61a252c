"""Records become token ids, and what they begin with alike stands once."""

from typing import TYPE_CHECKING

from likely._lazy import lazy_face

if TYPE_CHECKING:
    from likely.encoding.batches import Batch as Batch
    from likely.encoding.batches import Budget as Budget
    from likely.encoding.batches import make_batches as make_batches
    from likely.encoding.prefix_tree import PrefixTree as PrefixTree
    from likely.encoding.prefix_tree import build_tree as build_tree
    from likely.encoding.prompt import EncodedRecord as EncodedRecord
    from likely.encoding.prompt import PromptBuilder as PromptBuilder

__all__, __getattr__, __dir__ = lazy_face(
    __name__,
    {
        "likely.encoding.batches": ["Batch", "Budget", "make_batches"],
        "likely.encoding.prefix_tree": ["PrefixTree", "build_tree"],
        "likely.encoding.prompt": ["EncodedRecord", "PromptBuilder"],
    },
)
