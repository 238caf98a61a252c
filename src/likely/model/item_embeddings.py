"""What a base model makes of items by their texts alone: one vector an item, from the middle of its layers.

Takes items as `encoding.item_texts` encodes them, lays them out in a tree and gives `evaluation.text_features` the mean
of each item's hidden states. Nothing is trained for it, and the layers after the middle one are not computed. What was
computed is kept in the user's cache folder, so that the next command has it at once.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from likely.encoding.batches import Batch, make_batches
from likely.encoding.item_texts import encode_items
from likely.encoding.prompt import EncodedRecord
from likely.errors import LikelyError
from likely.kept_arrays import read_arrays, write_arrays
from likely.model.base import device_of
from likely.model.fingerprint import settings_of, weights_of
from likely.model.forward import placement, precision_of
from likely.model.layers import layers_of
from likely.model.scoring import PassPlan, Progress

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


MIDDLE = 0.4
"""Where among a model's layers its hidden states say the most about taste: layer 12 of SmolLM2-135M's 30."""

FOLDER, FORMAT = "embeddings", 1
"""Within the cache folder; the number rises with every change to what is kept, or how."""

KEPT_MODELS, MOST_KEPT = 4, 500_000
"""Files in that folder, of which the one used longest ago goes first, and texts in each."""

CHUNK = 512
"""Texts after which what is computed is kept, so that a stopped command need not repeat it."""

FEWEST = 64
"""Texts that are worth a rewrite of the file; fewer are computed again in a second or two."""

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Embedder:
    """A model that reads items.

    Attributes:
        inner: the transformers model; an adapter in it has to be switched off by who calls.
        tokenizer: its tokenizer.
        plan: layout and limits of a forward pass.
    """

    inner: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    plan: PassPlan

    def made_with(self, noun: str) -> str:
        """Return what stands for all that an embedding depends on besides its text, up to rounding."""
        versions = [version(name) for name in ("tokenizers", "transformers")]
        how = (str(self.inner.dtype), depth_of(self.inner), settings_of(self.inner.config))
        model = (weights_of(self.inner, adapter=False), *how)
        rules = self.tokenizer.backend_tokenizer.to_str() if self.tokenizer.is_fast else self.tokenizer.get_vocab()
        return hashlib.sha256(f"{(FORMAT, *model, noun, versions)!r}{rules}".encode()).hexdigest()[:32]


def embed_items(
    embedder: Embedder,
    texts: Sequence[str],
    noun: str,
    cache: Path | None = None,
    on_progress: Progress | None = None,
) -> Vectors:
    """Return the embedding of each text: the mean of its own tokens' hidden states after the middle layer.

    Each is what transformers alone gives for that text, whatever texts stand beside it.

    Args:
        embedder: model, tokenizer and layout.
        texts: items as prompts name them, no two alike and none empty.
        noun: of what is rated, in the singular.
        cache: folder in which embeddings of this model are looked for and kept; None keeps nothing.
        on_progress: told how many texts are done, and of how many.

    Returns:
        float32 [texts, hidden size].

    Raises:
        LikelyError: the model's layers are not to be found.
    """
    path = cache / FOLDER / f"{embedder.made_with(noun)}.npz" if cache else None
    digests = [hashlib.sha256(text.encode()).digest()[:16] for text in texts]
    known = _load(path) if path else {}
    missing = sorted((place for place, digest in enumerate(digests) if digest not in known), key=texts.__getitem__)
    for start in range(0, len(missing), CHUNK):
        chunk = missing[start : start + CHUNK]
        if on_progress:
            on_progress(len(texts) - len(missing) + start, len(texts))
        encoded = encode_items(embedder.tokenizer, [texts[place] for place in chunk], noun)
        for place, vector in zip(chunk, middle_states(embedder.inner, encoded, embedder.plan), strict=True):
            known[digests[place]] = vector
        if path and len(chunk) >= FEWEST:
            with suppress(OSError):
                _store(path, known if len(known) <= MOST_KEPT else {one: known[one] for one in digests if one in known})
    if on_progress:
        on_progress(len(texts), len(texts))
    return np.array([known[digest] for digest in digests])


def middle_states(inner: "PreTrainedModel", encoded: Sequence[EncodedRecord], plan: PassPlan) -> Vectors:
    """Return the mean hidden state of each record over its `answer_positions`, float32 [records, hidden size].

    Args:
        inner: the transformers model, left in the mode (training or not) that it is found in.
        encoded: records in any order.
        plan: layout and limits.
    """
    was_training = inner.training
    inner.eval()
    means: dict[int, Vectors] = {}
    with torch.inference_mode():
        for batch in make_batches(encoded, plan.layout, plan.budget):
            batch = batch.to(device_of(inner))
            own = _states_of(inner, batch)[batch.answer_rows, batch.answer_columns].float()
            numbers = torch.diff(batch.first_answers, append=batch.first_answers.new_tensor([len(own)]))
            owners = torch.repeat_interleave(numbers)
            sums = own.new_zeros(len(numbers), own.shape[1]).index_add_(0, owners, own)
            means.update(zip(batch.records.tolist(), (sums / numbers[:, None]).cpu().numpy(), strict=True))
    inner.train(was_training)
    return np.array([means[place] for place in range(len(encoded))])


def depth_of(inner: "PreTrainedModel") -> int:
    """Return how many of a model's layers are computed, at least 1."""
    return max(round(MIDDLE * len(_layers(inner))), 1)


class _Reached(Exception):  # noqa: N818  # nothing is wrong: it leads out of a model's forward
    """The middle layer has been computed."""


def _states_of(inner: "PreTrainedModel", batch: Batch) -> torch.Tensor:
    """Return the hidden states after the middle layer, [rows, width, hidden size], and compute nothing after it."""
    reached: list[torch.Tensor] = []

    def stop(module: torch.nn.Module, inputs: Any, output: Any) -> None:
        reached.append(output[0] if isinstance(output, tuple | list) else output)
        raise _Reached

    hook = _layers(inner)[depth_of(inner) - 1].register_forward_hook(stop)
    try:
        with precision_of(inner), suppress(_Reached):
            inner(input_ids=batch.input_ids, use_cache=False, **placement(batch, inner))
    finally:
        hook.remove()
    if not reached or reached[0].shape[:2] != batch.input_ids.shape:
        raise LikelyError(
            f"The layers of {type(inner).__name__} do not give one hidden state a token; use --no-text-features."
        )
    return reached[0]


def _layers(inner: "PreTrainedModel") -> torch.nn.ModuleList:
    layers = layers_of(inner)
    if not layers:
        raise LikelyError(f"The layers of {type(inner).__name__} are not to be found; use --no-text-features.")
    return layers


def _load(path: Path) -> dict[bytes, Vectors]:
    """Return what is kept in a file, by the digest of its text; nothing where it is not there or damaged."""
    arrays = read_arrays(path, "digests", "vectors")
    return {digest.tobytes(): vector for digest, vector in zip(*arrays, strict=True)} if arrays else {}


def _store(path: Path, known: dict[bytes, Vectors]) -> None:
    """Write a file, and keep those of :data:`KEPT_MODELS` models."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digests = np.frombuffer(b"".join(known), np.uint8).reshape(len(known), 16)
    write_arrays(path, KEPT_MODELS, digests=digests, vectors=np.array(list(known.values()), np.float32))
