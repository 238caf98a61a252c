"""Base model, adapter and attention: one forward pass, exact in every layout."""

from typing import TYPE_CHECKING

from likely._lazy import lazy_face

if TYPE_CHECKING:
    from likely.model.adapter import Lora as Lora
    from likely.model.adapter import add_adapter as add_adapter
    from likely.model.adapter import load_adapter as load_adapter
    from likely.model.answers import Answers as Answers
    from likely.model.base import load_base as load_base
    from likely.model.base import load_tokenizer as load_tokenizer
    from likely.model.scoring import score as score

__all__, __getattr__, __dir__ = lazy_face(
    __name__,
    {
        "likely.model.adapter": ["Lora", "add_adapter", "load_adapter"],
        "likely.model.answers": ["Answers"],
        "likely.model.base": ["load_base", "load_tokenizer"],
        "likely.model.scoring": ["score"],
    },
)
