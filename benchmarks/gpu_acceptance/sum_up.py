"""The figures of all sections as rows of docs/speed.md."""

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.common import Row

SHARE, TIMES, GIB = 0.4, 8, 8
"""To be reached: share of the matrix rate in steps of 64 records, times TRL's records a second, GiB of a card."""
CANDIDATES = 10
"""Times that the candidates of one history are to be scored faster in the tree than padded."""

COMPARED = ((16, 4), (64, 16))
"""Records of a step and of a group whose steps are taken by both."""

NO_GPU = "no CUDA GPU was at hand"


def rows_of(figures: Sequence[dict[str, Any]]) -> list[Row]:
    """Return the rows of the table; what was not measured says so."""
    gpu = next((line["gpu"] for line in figures if line.get("gpu")), None)
    compared = [times_trl(figures, gpu, records, group) for records, group in COMPARED]
    return [
        exactness(figures, gpu), share_of_rate(figures, gpu), *compared, candidates(figures, gpu),
        small_card(figures, gpu),
    ]  # fmt: skip


def exactness(figures: Sequence[dict[str, Any]], gpu: str | None) -> Row:
    name = "layouts, attentions and precisions on a GPU whose gradient is that of records alone"
    found = [line["ok"] for line in figures if line["section"] == "exact" and "ok" in line]
    if not found:
        return unmeasured(name, "all", gpu)
    return Row(name, "all", f"{sum(found)} of {len(found)}", all(found), str(gpu))


def share_of_rate(figures: Sequence[dict[str, Any]], gpu: str | None) -> Row:
    name = "Qwen3-0.6B bfloat16 training, share of the GPU's matrix rate"
    large = [line for line in seen(figures) if line["records"] == 64]
    steps = max(large, key=lambda line: float(line["share_of_rate"]), default=None)
    if steps is None:
        return unmeasured(name, f">= {SHARE:.0%}", gpu)
    note = f"{gpu}, {steps['name']}, groups of up to {steps['group']}, {steps['tokens_s']:,} unique tokens/s"
    plain = max(large, key=lambda line: (is_default(line), float(line["share_of_rate"])))
    if not is_default(steps) and is_default(plain):
        note += f"; by default, which is neither compiled nor FlexAttention, {plain['share_of_rate']:.0%}"
    return Row(name, f">= {SHARE:.0%}", f"{steps['share_of_rate']:.0%}", steps["share_of_rate"] >= SHARE, note)


def times_trl(figures: Sequence[dict[str, Any]], gpu: str | None, records: int, group: int) -> Row:
    """Return the row of the very same records through both, each in the fastest of its ways."""
    name = f"training examples/s on a GPU, steps of {records} in groups of up to {group}, tree against TRL's best"

    def like(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        return [line for line in lines if line.get("records") == records and line.get("group") == group]

    ours = fastest(like(seen(figures)))
    theirs = fastest(like(line for line in figures if line["section"] == "trl" and "records_s" in line))
    if ours is None or theirs is None:
        return unmeasured(name, f">= {TIMES}x", gpu)
    times = ours["records_s"] / theirs["records_s"]
    note = f"{gpu}, {ours['name']}; {ours['records_s']} examples/s, TRL {theirs['records_s']} in {theirs['batch']}s"
    plain = fastest(line for line in like(seen(figures)) if is_default(line))
    if plain and not is_default(ours):
        note += f"; by default, which is neither compiled nor FlexAttention, {plain['records_s']} examples/s, "
        note += f"{plain['records_s'] / theirs['records_s']:.1f}x"
    return Row(name, f">= {TIMES}x", f"{times:.1f}x", times >= TIMES, note)


def candidates(figures: Sequence[dict[str, Any]], gpu: str | None) -> Row:
    name = "scoring 1,000 candidates of one history on a GPU, tree against padded"
    found = [line for line in figures if line["section"] == "candidates" and line.get("candidates", 0) > 100]
    trees = [line for line in found if line["layout"] == "tree"]
    ours = max(trees, key=lambda line: float(line["candidates_s"]), default=None)
    own = ours and next((line for line in found if line["layout"] == "padded" and line["name"] == ours["name"]), None)
    if ours is None or own is None:
        return unmeasured(name, f">= {CANDIDATES}x", gpu)
    times = ours["candidates_s"] / own["candidates_s"]
    note = f"{gpu}, {ours['name']}; {ours['candidates_s']} candidates/s, padded {own['candidates_s']}"
    return Row(name, f">= {CANDIDATES}x", f"{times:.1f}x", times >= CANDIDATES, note)


def small_card(figures: Sequence[dict[str, Any]], gpu: str | None) -> Row:
    name = "peak memory of the 8 GB preset, of a card capped so"
    run = next((line for line in figures if line["section"] == "memory" and line.get("card_gib") == GIB), None)
    if run is None or "status" not in run:
        return unmeasured(name, f"< {GIB} GiB", gpu)
    value = f"{run['reserved_gib']:.2f} GiB" if run["status"] == 0 else "fails"
    return Row(name, f"< {GIB} GiB", value, run["status"] == 0 and run["reserved_gib"] < GIB, str(gpu))


def seen(figures: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the speeds of steps whose shapes had been met before."""
    return [line for line in figures if line["section"] == "speed" and line.get("shapes") == "seen"]


def is_default(line: dict[str, Any]) -> bool:
    """Return whether a variant is what `flash_attn: auto` and `torch_compile: false` give for trees."""
    return not any(word in line["name"] for word in ("compiled", "FlexAttention"))


def fastest(lines: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the line with the most records a second."""
    return max(lines, key=lambda line: float(line["records_s"]), default=None)


def unmeasured(name: str, bar: str, gpu: str | None) -> Row:
    return Row(name, bar, "cannot run", None, f"{gpu}, this part did not run" if gpu else NO_GPU)
