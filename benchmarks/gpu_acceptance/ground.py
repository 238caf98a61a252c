"""What every section stands on: a device, a base model and records in a folder, and a file for its figures."""

import gc
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import torch
from peft import PeftModel

from benchmarks import common
from benchmarks.gpu_acceptance import FIGURES
from likely.data.protocol import SplitProtocol
from likely.data.records import Labels, read_records
from likely.encoding.batches import Budget
from likely.encoding.cache import encode_file
from likely.encoding.order import Order, shared_runs, shuffled_groups
from likely.encoding.prompt import EncodedRecord, PromptBuilder
from likely.model.adapter import Lora, add_adapter, base_model
from likely.model.base import Precision, attention_share, load_base, load_tokenizer, pass_cost
from likely.model.cuda import ready_cuda
from likely.model.families import width_multiple
from likely.sources.invented_ratings import make_sample
from likely.sources.tiny_model import TinyShape, chat_prompt, make_tiny_base

SEED = 42
STEP, GROUP = 16, 4
"""Records of an optimizer step by the main preset, and how many of a history it keeps together."""

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Ground:
    """Where a section runs and what it runs on.

    Attributes:
        out: its figures, base model and records.
        tiny: few records and steps, for a model that anything can compute.
        ends: when the section takes nothing new any more, on the clock of `time.monotonic`.
    """

    out: Path
    tiny: bool
    ends: float = math.inf

    @property
    def device(self) -> torch.device:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    @property
    def on_gpu(self) -> bool:
        return self.device.type == "cuda"

    @property
    def precision(self) -> Precision:
        """What most of it is computed in."""
        return Precision("bfloat16" if self.on_gpu else "float32", False)

    @property
    def base(self) -> Path:
        return self.out / "base"

    @property
    def data(self) -> Path:
        return self.out / "data"

    @cached_property
    def builder(self) -> PromptBuilder:
        return PromptBuilder(load_tokenizer(str(self.base)), Labels(), common.CUTOFF)

    def size(self, full: int, tiny: int) -> int:
        """Return how many of something a section takes."""
        return tiny if self.tiny else full

    def records(self, name: str, most: int) -> list[EncodedRecord]:
        """Return the first records of train or eval."""
        return encode_file(self.data / f"{name}.json", None, self.builder)[:most]

    def order(self, encoded: list[EncodedRecord], step: int = STEP, group: int = GROUP) -> Order:
        """Return the order of an epoch, in groups of at most so many records of a history."""
        return shuffled_groups(shared_runs(encoded), group, step, SEED)

    def while_time(self, section: str, things: Mapping[str, Thing]) -> Iterator[Thing]:
        """Yield things by their names' order until the section's time is up, and say which it leaves out."""
        for place, thing in enumerate(things.values()):
            if time.monotonic() > self.ends:
                self.say(section, left_out=f"no time for {'; '.join(list(things)[place:])}")
                return
            yield thing

    @contextmanager
    def reporting(self, section: str, **about: Any) -> Iterator[None]:
        """Say what a block raises, whatever a compiler or a kernel comes up with, and go on: a report is of all.

        After what breaks the GPU's context nothing can be computed in this process, so that is raised.
        """
        try:
            yield
        except Exception as error:
            self.say(section, **about, failed=f"{type(error).__name__}: {error}"[:700], ok=False)
            if isinstance(error, torch.AcceleratorError):
                raise

    def model(self, precision: Precision, attention: str = "sdpa", dropout: float = 0.0) -> PeftModel:
        """Return the base with an adapter that does something, the same one at every call."""
        self.tidy()
        ready_cuda()
        base = load_base(str(self.base), precision, attention)
        torch.manual_seed(SEED)
        adapted = add_adapter(base, Lora(16, 64, dropout, common.TARGETS))
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.02)
        return adapted

    def budget(self, model: PeftModel, tokens: int) -> Budget:
        base = base_model(model)
        return Budget(tokens, attention_share(base), width_multiple(base), pass_cost(base, trains=True))

    def say(self, section: str, **figures: Any) -> None:
        """Print a line of figures and keep it."""
        line = json.dumps({"section": section, **figures}, default=str)
        print(line, flush=True)
        with (self.out / FIGURES).open("a", encoding="utf-8") as out:
            out.write(line + "\n")

    def wait(self) -> None:
        """Wait until the GPU has done all that it was told to."""
        if self.on_gpu:
            torch.cuda.synchronize()

    def now(self) -> float:
        """Return the seconds of a clock, once the GPU has done all that it was told to."""
        self.wait()
        return time.perf_counter()

    def tidy(self) -> None:
        """Give back memory that nothing holds any more, and count its peak anew."""
        gc.collect()
        if self.on_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def peak_gib(self) -> float | None:
        return round(torch.cuda.max_memory_allocated() / 2**30, 2) if self.on_gpu else None

    def seconds(self, run: Callable[[], object], times: int = 1) -> float:
        """Return the mean seconds of a call, after one that warms up."""
        run()
        started = self.now()
        for _ in range(times):
            run()
        return (self.now() - started) / times

    def seconds_once(self, run: Callable[[], object]) -> float:
        """Return the seconds of a call that nothing warms up for."""
        started = self.now()
        run()
        return self.now() - started

    def matrix_rate(self) -> float:
        """Return the device's operations a second in one large bfloat16 product."""
        size, times = self.size(8192, 64), self.size(20, 1)
        one, other = (torch.randn(size, size, device=self.device, dtype=torch.bfloat16) for _ in range(2))
        return 2 * size**3 / self.seconds(lambda: one @ other, times)


def prepare_ground(out: Path, tiny: bool, source: Path | None, shapes: Path | None) -> Ground:
    """Write base model and records, unless they are there.

    Args:
        out: where to.
        tiny: invented ratings, and a model of 100,000 weights, in place of the two folders.
        source: folder or zip of MovieLens latest-small; None where the records are there.
        shapes: folder with config.json and tokenizer.
    """
    ground = Ground(out, tiny)
    out.mkdir(parents=True, exist_ok=True)
    if tiny:
        source = make_sample(out / "ratings", users=20, ratings_per_user=25)
    if source is not None:
        common.prepared(source, ground.data, SplitProtocol(history_length=3) if tiny else None)
    if not (ground.base / "tokenizer.json").is_file():  # written last
        if shapes is None:
            asked = read_records(ground.data / "eval.json", Labels())
            prompts = [chat_prompt(f"{record.instruction}\n{record.input}") for record in asked]
            make_tiny_base(ground.base, prompts, TinyShape(vocabulary=600, hidden=64, layers=2, steps=0))
        else:
            _write_random_weights(shapes, ground)
    return ground


def _write_random_weights(shapes: Path, ground: Ground) -> None:
    """Write weights once, so that loading goes the way that it goes for a user."""
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(SEED)
    with ground.device:
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(shapes), dtype=torch.bfloat16)
    model.save_pretrained(ground.base)
    load_tokenizer(str(shapes)).save_pretrained(ground.base)
