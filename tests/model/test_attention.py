"""`flash_attn` is resolved once, by a table anyone can check."""

from dataclasses import replace

import pytest
from transformers import AutoConfig

from likely.errors import LikelyError
from likely.model.attention import FLASH_ATTENTIONS, Surroundings, look_around, resolve_attention

FA2, FA3, FA4 = FLASH_ATTENTIONS
NO_SDPA = frozenset({"sdpa"})
AMPERE, HOPPER, TURING, BLACKWELL = (8, 0), (9, 0), (7, 5), (12, 0)


def around(gpu=None, installed=(), layout="padded", half=True):
    return Surroundings(gpu, frozenset(installed), layout, half)


@pytest.mark.parametrize(
    ("requested", "surroundings", "chosen"),
    [
        ("auto", around(), "sdpa"),
        ("auto", around(AMPERE), "sdpa"),
        ("auto", around(AMPERE, [FA2]), FA2),
        ("auto", around(TURING, [FA2]), "sdpa"),
        ("auto", around(None, [FA2]), "sdpa"),
        ("auto", around(AMPERE, [FA2], "packed"), FA2),
        ("auto", around(AMPERE, [FA2], "tree"), "sdpa"),
        ("auto", around(AMPERE, [FA2], half=False), "sdpa"),
        ("auto", around(AMPERE, [FA2, FA3]), FA2),
        ("auto", around(HOPPER, [FA2, FA3]), FA3),
        ("auto", around(BLACKWELL, [FA2, FA3]), FA2),
        ("auto", around(BLACKWELL, [FA3]), "sdpa"),
        ("auto", around(HOPPER, [FA2, FA3, FA4], "tree"), "sdpa"),
        (FA3, around(BLACKWELL, [FA3]), FA3),
        ("false", around(AMPERE, [FA2]), "sdpa"),
        ("sdpa", around(AMPERE, [FA2]), "sdpa"),
        ("eager", around(), "eager"),
        (FA2, around(AMPERE, [FA2]), FA2),
        (FA3, around(HOPPER, [FA3]), FA3),
        (FA4, around(HOPPER, [FA4]), FA4),
        ("flex_attention", around(AMPERE, layout="tree"), "flex_attention"),
    ],
)
def test_choice(requested, surroundings, chosen):
    assert resolve_attention(requested, surroundings).implementation == chosen


@pytest.mark.parametrize(
    ("requested", "surroundings", "reason"),
    [
        (FA2, around(None, [FA2]), "needs a CUDA GPU"),
        (FA2, around(TURING, [FA2]), "older than Ampere"),
        (FA2, around(AMPERE), "not installed"),
        (FA2, around(AMPERE, [FA2], "tree"), "no tree masks"),
        (FA2, around(AMPERE, [FA2], half=False), "bfloat16"),
        (FA3, around(AMPERE, [FA3]), "older than Hopper"),
        (FA4, around(HOPPER), "not installed"),
        ("flex_attention", around(), "only on a CUDA GPU"),
    ],
)
def test_a_forced_choice_that_cannot_work_is_an_error(requested, surroundings, reason):
    with pytest.raises(LikelyError, match=reason):
        resolve_attention(requested, surroundings)


@pytest.mark.parametrize(
    ("requested", "surroundings", "chosen"),
    [
        ("auto", around(), "eager"),
        ("false", around(AMPERE, [FA2]), "eager"),
        ("auto", around(AMPERE, [FA2]), FA2),
        ("auto", around(AMPERE, [FA2], "tree"), "eager"),
    ],
)
def test_a_model_without_sdpa_gets_the_next_best(requested, surroundings, chosen):
    assert resolve_attention(requested, replace(surroundings, unsupported=NO_SDPA)).implementation == chosen


def test_what_a_model_s_code_does_not_support_is_an_error_if_forced():
    with pytest.raises(LikelyError, match="this model's code in transformers does not support it"):
        resolve_attention("sdpa", replace(around(), unsupported=NO_SDPA))
    everything = frozenset({"sdpa", "flex_attention", *FLASH_ATTENTIONS})
    assert resolve_attention("auto", replace(around(AMPERE, [FA2]), unsupported=everything)).implementation == "eager"


@pytest.mark.parametrize(
    ("model_type", "unsupported"),
    [("qwen3", set()), ("gemma2", {"sdpa"}), ("mpt", {"sdpa", "flex_attention", *FLASH_ATTENTIONS})],
)
def test_what_a_model_s_code_supports_is_looked_up(model_type, unsupported):
    assert look_around("tree", True, AutoConfig.for_model(model_type)).unsupported == unsupported
