"""The tree is exact: every sequence stands in it whole, once, and sees itself alone."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from likely.encoding.prefix_tree import build_tree, chain_lengths, lexicographic_order
from likely.model.masks import Reach, dense_mask, mask_rule

# Few different tokens, so that random sequences often share beginnings, repeat or contain each other.
SEQUENCES = st.lists(st.lists(st.integers(0, 2), max_size=7).map(lambda ids: np.array(ids, np.int32)), max_size=12)


def test_the_worked_example_of_the_module():
    h, a, b, c, x, y, z = range(7)
    tree = build_tree([np.array(ids, np.int32) for ids in ([h, a, b, x], [h, a, b, y], [h, a, c, z])])
    assert tree.input_ids.tolist() == [h, a, b, x, y, c, z]
    assert tree.position_ids.tolist() == [0, 1, 2, 3, 3, 2, 3]
    assert tree.subtree_end.tolist() == [7, 7, 5, 4, 5, 7, 7]


@given(SEQUENCES)
def test_every_sequence_is_the_path_to_its_last_token(sequences):
    tree = build_tree(sequences)
    for sequence, nodes in zip(sequences, tree.nodes, strict=True):
        assert tree.input_ids[nodes].tolist() == sequence.tolist()
        assert tree.position_ids[nodes].tolist() == list(range(len(sequence)))


@given(SEQUENCES)
def test_a_token_may_attend_to_its_ancestors_and_to_nothing_else(sequences):
    tree = build_tree(sequences)
    ends, positions = (torch.from_numpy(ids).long()[None] for ids in (tree.subtree_end, tree.position_ids))
    mask = dense_mask(mask_rule(ends, positions, Reach()), 1, len(tree))[0, 0].numpy()
    for nodes in tree.nodes:
        for depth, query in enumerate(nodes):
            assert np.flatnonzero(mask[query]).tolist() == nodes[: depth + 1].tolist()


@given(SEQUENCES)
def test_what_is_shared_is_stored_once(sequences):
    distinct_prefixes = {tuple(s[: n + 1]) for s in sequences for n in range(len(s))}
    assert len(build_tree(sequences)) == len(distinct_prefixes)
    assert chain_lengths(sequences)[1].sum() == len(distinct_prefixes)


@given(SEQUENCES)
def test_order_is_lexicographic(sequences):
    ordered = [tuple(sequences[i].tolist()) for i in lexicographic_order(sequences)]
    assert ordered == sorted(ordered)


@given(SEQUENCES)
def test_only_the_wanted_depths_are_located(sequences):
    last = [np.arange(len(s))[-1:].astype(np.int32) for s in sequences]
    whole, some = build_tree(sequences), build_tree(sequences, last)
    for all_nodes, last_node in zip(whole.nodes, some.nodes, strict=True):
        assert last_node.tolist() == all_nodes[-1:].tolist()


@pytest.mark.parametrize("ids", [[65_536, 1], [255, 256], [2**31 - 1, 0]])
def test_large_token_ids_sort_like_numbers(ids):
    sequences = [np.array([token], np.int32) for token in ids]
    assert lexicographic_order(sequences) == np.argsort(ids).tolist()
