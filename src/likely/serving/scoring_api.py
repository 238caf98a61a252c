"""SGLang's scoring API: a query and items become token sequences, and log-probabilities become scores.

As SGLang without a delimiter does, each item is scored after the query as if it stood alone; texts are joined before
they are tokenised. A query that items share is computed once.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from likely.encoding.prompt import EncodedRecord
from likely.errors import LikelyError
from likely.inference.loaded_run import LoadedRun
from likely.model.answers import FloatRows
from likely.serving.bodies import ScoreBody


def encode_score(body: ScoreBody, run: LoadedRun) -> list[EncodedRecord]:
    """Return a sequence for each item, at whose end the probabilities are read.

    Raises:
        LikelyError: query and items are of different kinds, a sequence is empty or longer than the run's `cutoff_len`,
            or a token is not in the vocabulary.
    """
    vocabulary = int(run.base.config.get_text_config().vocab_size)
    check_tokens(body.label_token_ids, "label_token_ids", vocabulary)
    encoded = []
    for number, sequence in enumerate(_sequences(body, run), start=1):
        _check_length(len(sequence), number, run)
        check_tokens(sequence, f"the query with item {number}", vocabulary)
        encoded.append(EncodedRecord(np.array(sequence, np.int32), (body.label_token_ids[0],), liked=False))
    return encoded


def _check_length(tokens: int, number: int, run: LoadedRun) -> None:
    """Raise a LikelyError if the query with an item, counted from 1, is empty or too long."""
    if not 1 <= tokens <= run.config.cutoff_len:
        raise LikelyError(
            f"the query with item {number} has {tokens:,} tokens; send 1 to {run.config.cutoff_len:,}, the run's "
            "cutoff_len."
        )


def check_tokens(tokens: Sequence[int], where: str, vocabulary: int) -> None:
    """Raise a LikelyError if a token is not in a vocabulary of that size."""
    wrong = next((token for token in tokens if not 0 <= token < vocabulary), None)
    if wrong is not None:
        raise LikelyError(f"{where}: {wrong} is no token; the vocabulary has 0 to {vocabulary - 1}.")


def _sequences(body: ScoreBody, run: LoadedRun) -> list[list[int]]:
    """Return query and item as one, for each item; none is joined that would be too long."""
    items = [body.items] if isinstance(body.items, str) else body.items
    if any(type(item) is not type(body.query) for item in items):
        raise LikelyError("query and items are of different kinds; send texts for both, or token ids for both.")
    longest = max(range(len(items)), key=lambda place: len(items[place]), default=None)
    if longest is None:
        return []
    (longest_one,) = _joined(body.query, items[longest : longest + 1], body.item_first, run)
    _check_length(len(longest_one), longest + 1, run)
    return _joined(body.query, items, body.item_first, run)


def _joined(query: Any, items: Sequence[Any], item_first: bool, run: LoadedRun) -> list[list[int]]:
    """Return the token ids of items after a query or before it, both texts or both ids."""
    joined = [item + query if item_first else query + item for item in items]
    if not isinstance(query, str):
        return joined
    encoded: list[list[int]] = run.builder.tokenizer(joined)["input_ids"]
    return encoded


def scores_of(log_probs: FloatRows, body: ScoreBody) -> list[list[float]]:
    """Return the scores of each item in the order of the labels: a softmax over these, or plain probabilities."""
    if not body.apply_softmax:
        plain: list[list[float]] = np.exp(log_probs).tolist()
        return plain
    below = log_probs - log_probs.max(axis=1, keepdims=True, initial=-np.inf)
    with np.errstate(over="ignore"):  # by a temperature near 0, all but the likeliest become minus infinity
        weights = np.exp(below / body.temperature)
    shares: list[list[float]] = (weights / weights.sum(axis=1, keepdims=True)).tolist()
    return shares
