"""`dtype: auto` on a CPU is bfloat16 only where a trial is clearly faster, and a run keeps what it was trained in."""

import time

import pytest
import torch

from likely.model import base
from likely.model.base import choose_precision
from likely.model.trial import FEW, bfloat16_gain


@pytest.fixture
def gain(monkeypatch):
    """Let the trial come out as told; without a GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    return lambda value: monkeypatch.setattr(base, "bfloat16_gain", lambda hidden: value)


def test_the_trial_is_short_and_draws_no_random_number():
    state = torch.get_rng_state()
    started = time.perf_counter()
    assert bfloat16_gain(2048) > 0
    assert time.perf_counter() - started < 5  # 0.1 s where nothing else runs
    assert torch.equal(torch.get_rng_state(), state)


def test_a_product_that_was_interrupted_does_not_decide(monkeypatch):
    pauses = iter([0, 0.1])  # of products in bfloat16; the first one is not timed

    def linear(x, weight):
        time.sleep(0.02 if x.dtype == torch.float32 else 0.01 + next(pauses, 0) * (len(x) == FEW))
        return x

    monkeypatch.setattr(torch.nn.functional, "linear", linear)
    assert bfloat16_gain(8) > 1


@pytest.mark.parametrize(
    ("gained", "before", "dtype"),
    [
        (2.0, None, "bfloat16"),
        (1.2, None, "float32"),
        (1.2, "bfloat16", "bfloat16"),  # as it was trained, though another trial came out lower
        (1.2, "bfloat16, 4-bit weights", "bfloat16"),
        (0.9, "bfloat16", "bfloat16"),  # too near to tell, of a narrow model; scores of two trials stay alike
        (0.1, "bfloat16", "float32"),  # trained on another machine
        (2.0, "float32", "float32"),
        (2.0, "float16", "float32"),
    ],
)
def test_bfloat16_has_to_be_clearly_faster_to_be_begun_with(gain, gained, before, dtype):
    gain(gained)
    assert choose_precision("auto", None, hidden=64, before=before).dtype == dtype
    for asked in ("float32", "bfloat16"):
        assert choose_precision(asked, None, hidden=64, before=before).dtype == asked


def test_what_was_tried_is_said_in_a_line_with_what_else_there_is_to_say(gain):
    gain(2.04)
    assert choose_precision("auto", None, hidden=64).notice == (
        "bfloat16, in which this processor multiplies 2.0 times as fast as in float32."
    )
    both = choose_precision("auto", 4, hidden=64)
    assert both.notice.startswith("bfloat16")
    assert both.notice.endswith("plain LoRA instead of QLoRA (quantization_bit: 4).")
    gain(0.1)
    assert choose_precision("auto", None, hidden=64).notice.startswith("float32")
    assert choose_precision("auto", None, hidden=64, before="float32").notice is None
