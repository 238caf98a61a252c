"""Many token sequences as one tree in which every shared prefix is stored once.

Takes token ids from `prompt` (by way of `batches`) and gives the three integers a token that the
model needs to compute all sequences at once and each exactly as if it were alone.

Sequences in lexicographic order, each without what it shares with the one before it, are a tree
written down depth first. Three records of one user, a letter a token::

    H a b X        index        0 1 2 3 4 5 6
    H a b Y        input_ids    H a b X Y c Z
    H a c Z        position_ids 0 1 2 3 3 2 3
                   subtree_end  7 7 5 4 5 7 7

A token's depth is its position, and `subtree_end` is the first index after everything that grows
from it. Token `q` descends from token `k`, and so may attend to it, if and only if

    k <= q < subtree_end[k]

Two records that share nothing are two roots, so the same rule is packing; a padding token whose
subtree is itself alone is padding.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TokenIds = NDArray[np.int32]
"""Token ids of one sequence, or indices into a tree: int32 [length]."""


@dataclass(frozen=True)
class PrefixTree:
    """A forest of token sequences in depth-first order.

    Attributes:
        input_ids: token ids, int32 [tokens].
        position_ids: depth of each token, int32 [tokens]; roots have 0.
        subtree_end: first index after each token's subtree, int32 [tokens].
        nodes: for every sequence, in the order given to :func:`build_tree`, the tree indices of
            its tokens at the depths that were asked for, int32 [depths of that sequence].
    """

    input_ids: TokenIds
    position_ids: TokenIds
    subtree_end: TokenIds
    nodes: list[TokenIds]

    def __len__(self) -> int:
        """Return the number of tokens in the tree."""
        return len(self.input_ids)


def lexicographic_order(sequences: Sequence[TokenIds]) -> list[int]:
    """Return the indices that sort token sequences lexicographically, a prefix before its extensions.

    Big-endian bytes of non-negative integers compare like the integers, so the sort is a `memcmp`.
    """
    keys = [sequence.astype(">i4").tobytes() for sequence in sequences]
    return sorted(range(len(keys)), key=keys.__getitem__)


def shared_length(first: TokenIds, second: TokenIds) -> int:
    """Return how many leading tokens two sequences share."""
    length = min(len(first), len(second))
    different = first[:length] != second[:length]
    return int(different.argmax()) if different.any() else length


def build_tree(sequences: Sequence[TokenIds], depths: Sequence[TokenIds] | None = None) -> PrefixTree:
    """Merge token sequences into one tree; linear in the number of tokens after sorting.

    Args:
        sequences: token ids, int32 [length] each; any may be empty, equal another or be its prefix.
        depths: for every sequence the positions whose tree indices are wanted in
            :attr:`PrefixTree.nodes`; by default all of them.

    Returns:
        The tree. `len(tree)` is at most the sum of the lengths, and equals it if nothing is shared.
    """
    total = sum(len(sequence) for sequence in sequences)
    longest = max((len(sequence) for sequence in sequences), default=0)
    input_ids = np.empty(total, np.int32)
    position_ids = np.empty(total, np.int32)
    subtree_end = np.empty(total, np.int32)
    path = np.empty(longest, np.int32)  # tree index of the current sequence's token at each depth
    nodes: list[TokenIds] = [path[:0]] * len(sequences)

    size = 0
    previous = path[:0]
    for index in lexicographic_order(sequences):
        sequence = sequences[index]
        shared = shared_length(previous, sequence)
        subtree_end[path[shared : len(previous)]] = size  # these branches end before this sequence's own part
        end = size + len(sequence) - shared
        input_ids[size:end] = sequence[shared:]
        position_ids[size:end] = np.arange(shared, len(sequence))
        path[shared : len(sequence)] = np.arange(size, end)
        nodes[index] = path[: len(sequence)].copy() if depths is None else path[depths[index]]
        size, previous = end, sequence
    subtree_end[path[: len(previous)]] = size
    return PrefixTree(input_ids[:size].copy(), position_ids[:size].copy(), subtree_end[:size].copy(), nodes)


def chain_lengths(sequences: Sequence[TokenIds]) -> tuple[list[int], NDArray[np.int64]]:
    """Sort sequences and return (order, own): `own[i]` tokens of `order[i]` are new after `order[:i]`.

    `own.sum()` is the size of the tree, without building it.
    """
    order = lexicographic_order(sequences)
    own = np.empty(len(order), np.int64)
    previous = np.empty(0, np.int32)
    for place, index in enumerate(order):
        own[place] = len(sequences[index]) - shared_length(previous, sequences[index])
        previous = sequences[index]
    return order, own
