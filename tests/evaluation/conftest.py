"""Records to evaluate on, for whom it does not matter which ratings they tell."""

import pytest

from likely.data.movielens import read_movielens
from likely.data.preparation import prepare
from likely.data.protocol import SplitProtocol
from likely.data.records import Labels, read_records
from likely.sources.invented_ratings import make_sample


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """Training, eval and test records of invented ratings, with hints."""
    folder = tmp_path_factory.mktemp("prepared")
    data = read_movielens(make_sample(folder / "sample", users=16, movies=40, ratings_per_user=30))
    prepare(data, folder / "data", SplitProtocol(warmup=6, history_length=6, hints=True))
    return [read_records(folder / "data" / f"{split}.json", Labels()) for split in ("train", "eval", "test")]
