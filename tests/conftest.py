"""Fixtures shared by the whole suite."""

import gc
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import typer.main
from hypothesis import settings

from likely.data.movielens import read_movielens
from likely.data.ratings import RatingTable
from likely.data.records import Labels, Record
from likely.encoding.prompt import PromptBuilder
from likely.sources.tiny_model import TinyShape, chat_prompt, make_tiny_base
from support import make_record, sketch

# Several workers share the cores, and so do the processes that they start: a thread each.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# A busy machine makes any example slow; what is slow on a quiet one shows in the durations.
settings.register_profile("likely", deadline=None, max_examples=30)
settings.register_profile("thorough", deadline=None, max_examples=300)
settings.load_profile("likely")

gc.disable()  # until all is imported, of which nothing is garbage

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what is slow: no worker ends long after the others, and one has the processes that are forked."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Models of a few thousand weights are slower on two."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True, scope="session")
def libraries_are_no_garbage() -> None:
    """Transformers collects garbage at the end of a training, and would look through all that was ever imported."""
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True, scope="session")
def the_command_is_built_once() -> Iterator[None]:
    """Typer makes it anew for every call, in half of the time that a verb takes that refuses its arguments."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", cache(typer.main.get_command))
        yield


@pytest.fixture(autouse=True, scope="session")
def exact_on_every_processor() -> Iterator[None]:
    """What is compared to the last digits is computed in float32, on a processor that is faster in bfloat16 too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("likely.model.base.bfloat16_gain", lambda hidden: 0.5)
        yield


@pytest.fixture(scope="module")
def sketched() -> Iterator[None]:
    """Pictures of runs are drawn but not written out, which is half of the work of `train` or `evaluate` here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("likely.report.figures._drawing", sketch)
        patch.setattr("likely.report.training_plot.save_training_plot", lambda log, path: path.touch())
        yield


@pytest.fixture(scope="session")
def latest_small(shared_dir: Path) -> RatingTable:
    """MovieLens latest-small."""
    return read_movielens(shared_dir / "ml-latest-small")


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Folder with MovieLens latest-small and Qwen3's tokenizer, beside the checkout; skips where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared (ml-latest-small and the Qwen3 tokenizer) beside the checkout")
    return SHARED


@pytest.fixture(scope="session")
def records() -> list[Record]:
    """Forty records of eight users, both labels among them."""
    return [make_record(user, history) for user in range(8) for history in range(3, 8)]


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory, records: list[Record]) -> Path:
    """Folder of a tiny Llama with random weights and a tokenizer that knows the records' words."""
    prompts = [chat_prompt(f"{record.instruction}\n{record.input}") for record in records]
    shape = TinyShape(vocabulary=600, hidden=64, layers=2, steps=0)
    return make_tiny_base(tmp_path_factory.mktemp("tiny-base"), prompts, shape)


@pytest.fixture(scope="session")
def tiny_qwen(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Path:
    """Folder of a tiny Qwen3 with random weights and the tokenizer of `tiny_base`."""
    import shutil

    import torch
    from transformers import AutoConfig, Qwen3Config, Qwen3ForCausalLM

    folder = shutil.copytree(tiny_base, tmp_path_factory.mktemp("qwen") / "tiny-qwen")
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=AutoConfig.from_pretrained(tiny_base).vocab_size,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        tie_word_embeddings=True,
    )
    Qwen3ForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def builder(tiny_base: Path) -> PromptBuilder:
    """Prompt builder of the tiny model."""
    from likely.model.base import load_tokenizer

    return PromptBuilder(load_tokenizer(str(tiny_base)), Labels(), 512)


@pytest.fixture(scope="session")
def record_of() -> Callable[..., Record]:
    """Return :func:`make_record`."""
    return make_record
