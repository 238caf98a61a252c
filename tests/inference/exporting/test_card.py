"""The page of an exported model says what its code does not ask by itself."""

from dataclasses import replace

import numpy as np
import pytest

from likely.data.records import Labels
from likely.inference.exporting.card import merged_card
from likely.inference.exporting.plain import Expected


@pytest.mark.parametrize(
    ("more", "said"), [({}, False), ({"system": "Be brief."}, True), ({"history": (("Liked Heat?", "Yes"),)}, True)]
)
def test_system_prompts_and_earlier_turns_are_said_to_be_missing_from_the_code(records, more, said):
    expected = Expected([], np.zeros(0), (3, 4), Labels())
    page = merged_card("somebody/model", expected, [records[0], replace(records[1], **more)])
    assert ("system prompt or earlier turns" in page) == said
    assert records[0].instruction in page
