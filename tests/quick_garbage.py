"""Keeps the end of every small training cheap; the folders of tests that train take it into their conftest.py."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="package")
def libraries_are_no_garbage() -> Iterator[None]:
    """Transformers collects garbage at the end of a training, and would look through all that was ever imported."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
