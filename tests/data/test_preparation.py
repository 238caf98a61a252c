"""What MovieLens becomes stays what it was, byte for byte: figures that were published stand on these very files."""

import hashlib
from pathlib import Path

import pytest

from likely.data.preparation import prepare
from likely.data.protocol import SPLITS, SplitProtocol
from likely.data.ratings import RatingTable

SHA256: dict[tuple[str, bool], dict[str, str]] = {
    ("anchored", False): {
        "train.json": "aa8b7c2924c25569cc28001b37455bd2a4babe793edfd4d2875c311199b4d533",
        "eval.json": "1244f1594ffe1bc0c69bdfa7551671df526f3e8993987010444bd2d1c6a6936b",
        "test.json": "d5734eff1b982dd3a9a406db7bbd3bea9c239d30cbc7d842a838f41cfbb36d18",
    },
    ("anchored", True): {
        "train.json": "ba9a6cb445640fb0d3f82052e25af13aba34d0e8761f3c19a2a471e0fd3fd0cd",
        "eval.json": "4509175ce749c0ef638cb678895519737d9472d7281bbdba9520292c9222d4c5",
        "test.json": "9289582351b91acc076c0c4c8bc3cbb81c7229b61003ad9bd3a02011cd39ad23",
    },
    ("sliding", False): {
        "train.json": "5b1f4d4ef42ceb35a8db81ff31ea213d45fd790c1d8bee43460844bc65070003",
        "eval.json": "f89ac4ab668c4c01ff6fb3516189ac4997fd7360eaef8f58540e5551c97de5e3",
        "test.json": "92e37778b4df3029e2b38a792680ba76f306ba79f3544cb67caedf458ed25980",
    },
}
"""Of the records that latest-small becomes, by the window and whether there are hints."""


@pytest.mark.parametrize(
    ("window", "hints"),
    [pytest.param(*case, marks=() if case == ("anchored", False) else pytest.mark.minutes) for case in SHA256],
)
def test_latest_small_becomes_the_very_records_that_it_always_did(
    latest_small: RatingTable, tmp_path: Path, window: str, hints: bool
) -> None:
    summary = prepare(latest_small, tmp_path, SplitProtocol(window=window, hints=hints))
    assert (summary.train.rows, summary.eval.rows, summary.test.rows, summary.notes) == (78_271, 4_450, 8_965, ())
    written = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in tmp_path.iterdir()}
    assert {name: written[name] for name in SHA256[window, hints]} == SHA256[window, hints]


SOME_SHA256 = {
    ("anchored", True): {
        "train": "aea516cbeacca1c72c3885e4ad2a9c4419b5374f9d9dd529b095a4955ac7d010",
        "eval": "dbe8b2e126fc2641f92e1e40031c849421103b73f36758c5e5dcfa9a815aaee1",
        "test": "f112e9f668abd358df5b8f13d30873ff2364cf0830a68282192171f0353d673a",
    },
    ("sliding", False): {
        "train": "cec07c16a290d3b8331d88a79e486b5b2bc51a44a2df9e89c384e0db3b6f846a",
        "eval": "430c15a61fbe0aec55005a8ccd02de3d0fb8e6bc9e7e15c4ae434a1cc5eb830f",
        "test": "eb2b7b7c6b86cf91d8eb45a3e46de443746c77ffb5d3fc569bfd0cf88cf67422",
    },
}
"""Of those of 40 users."""


@pytest.mark.parametrize(("window", "hints"), [("anchored", True), ("sliding", False)])
def test_some_users_of_latest_small_become_what_they_were(
    latest_small: RatingTable, tmp_path: Path, window: str, hints: bool
) -> None:
    """All users take up to half a minute; what is told of others is counted among all of them here too."""
    prepare(latest_small, tmp_path, SplitProtocol(window=window, hints=hints), max_users=40)
    written = {split: hashlib.sha256((tmp_path / f"{split}.json").read_bytes()).hexdigest() for split in SPLITS}
    assert written == SOME_SHA256[window, hints]
