"""Items as texts of their own, for what a model makes of them without any user: "Movie: Heat (1995) | Action, Crime".

Takes items as prompts name them (`data.wording.show_item`) and gives `model.item_embeddings` their token ids. All
begin alike, so that a tree computes the beginning once, and what an item's own tokens are is in `answer_positions`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from likely.encoding.prefix_tree import TokenIds, shared_length
from likely.encoding.prompt import EncodedRecord

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MOST_TOKENS = 128
"""Of a text; what a longer one says after that is left out."""


def encode_items(tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str], noun: str) -> list[EncodedRecord]:
    """Return the token ids of items, each behind its noun.

    The noun is there for the model more than for the reader: what stands first in a text draws all attention to
    itself, and its hidden state says nothing of what it is.

    Args:
        tokenizer: of the model.
        texts: items as prompts name them, none of them empty.
        noun: of what is rated, in the singular.

    Returns:
        For each text its ids; `answer_positions` are those of its own tokens, at least one of them.
    """
    before = f"{noun[:1].upper()}{noun[1:]}:"
    start = _ids(tokenizer, [before])[0]
    encoded = []
    for ids in _ids(tokenizer, [f"{before} {text}" for text in texts]):
        ids = ids[:MOST_TOKENS]
        own = max(len(ids) - shared_length(ids, start), 1)
        encoded.append(EncodedRecord(ids, tuple(ids[-own:].tolist()), liked=False))
    return encoded


def _ids(tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str]) -> list[TokenIds]:
    return [np.array(ids, np.int32) for ids in tokenizer(list(texts), add_special_tokens=False)["input_ids"]]
