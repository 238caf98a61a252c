"""Whether this processor multiplies matrices faster in bfloat16 than in float32: asked by trying it.

`base` asks before a model is loaded without a GPU. Processors with AMX or avx512_bf16 are faster, others emulate it and
are many times slower, and what they say of themselves does not tell how torch multiplies on them.
"""

import time

WIDEST = 1024
"""Inputs and outputs of the largest matrix that is tried: a larger one is multiplied at the same rate."""

FEW, MANY = 16, 256
"""Rows of the first trial, which no processor takes long for, and of the second, as wide as a block of attention."""

SECONDS, ROUNDS = 0.05, 3
"""How long the second trial takes, and the fewest products of each kind in both: one alone may be interrupted."""


def bfloat16_gain(hidden: int) -> float:
    """Return how many times as fast as in float32 a product of a model's size is in bfloat16, on this CPU.

    Draws no random number.

    Args:
        hidden: width of the model's hidden states.
    """
    width = min(hidden, WIDEST)
    gain = _gain(width, FEW, 0.0)
    return gain if gain < 0.5 else _gain(width, MANY, SECONDS)


def _gain(width: int, rows: int, seconds: float) -> float:
    """Return the ratio of the shortest times, of products in turns."""
    import torch

    dtypes = (torch.float32, torch.bfloat16)
    pairs = [(torch.ones(rows, width, dtype=dtype), torch.ones(width, width, dtype=dtype)) for dtype in dtypes]
    least = [float("inf"), float("inf")]
    with torch.inference_mode():
        for x, weight in pairs:
            torch.nn.functional.linear(x, weight)  # the first one chooses and loads its code
        end, rounds = time.perf_counter() + seconds, 0
        while rounds < ROUNDS or time.perf_counter() < end:
            rounds += 1
            for place, (x, weight) in enumerate(pairs):
                started = time.perf_counter()
                torch.nn.functional.linear(x, weight)
                least[place] = min(least[place], time.perf_counter() - started)
    return least[0] / least[1]
