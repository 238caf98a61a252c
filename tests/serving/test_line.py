"""Turns hold what fits, nobody waits behind a catalogue, and who shares a history shares the turn."""

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likely.encoding.prefix_tree import build_tree
from likely.encoding.prompt import EncodedRecord
from likely.serving.line import FullError, Line, Portion


def record(*tokens: int) -> EncodedRecord:
    return EncodedRecord(np.array(tokens, np.int32), (0,), liked=False)


def questions(user: int, count: int, history: int = 20) -> list[EncodedRecord]:
    """Records of one history, each with a last token of its own."""
    return [record(1, *[user] * history, 100 + number) for number in range(count)]


class Model:
    """Gives each record the sum of its tokens, and keeps what it was asked."""

    def __init__(self) -> None:
        self.turns: list[list[tuple[int, int]]] = []
        self.sizes: list[int] = []

    def compute(self, turn: Sequence[Portion]) -> None:
        asked = [(id(portion.ask), portion.ask.encoded[place]) for portion in turn for place in portion.places]
        self.turns.append([(id(portion.ask), len(portion.places)) for portion in turn])
        self.sizes.append(len(build_tree([one.input_ids for _, one in asked])))
        for portion in turn:
            for place in portion.places:
                portion.ask.log_probs[place] = portion.ask.encoded[place].input_ids.sum()


def answers(asks: list[list[EncodedRecord]], room: int, together: int = 32) -> tuple[list[list[float]], Model]:
    """Ask all at once, and return what each was told."""
    model = Model()

    async def scene() -> list[list[float]]:
        line = Line(model.compute, lambda longest: room, places=100, together=together)
        asking = [asyncio.create_task(line.ask(encoded, [7])) for encoded in asks]
        await asyncio.sleep(0)
        working = asyncio.create_task(line.work())
        told = [answered.log_probs[:, 0].tolist() for answered in await asyncio.gather(*asking)]
        working.cancel()
        return told

    return asyncio.run(scene()), model


sequences = st.lists(st.integers(0, 3), min_size=1, max_size=6).map(lambda tokens: record(*tokens))


@given(st.lists(st.lists(sequences, min_size=1, max_size=6), min_size=1, max_size=5), st.integers(1, 30))
def test_everybody_is_told_of_their_own_records_and_no_turn_is_too_long(asks: list[list[EncodedRecord]], room: int):
    told, model = answers(asks, room)
    assert told == [[float(one.input_ids.sum()) for one in encoded] for encoded in asks]
    longest = max(len(one.input_ids) for encoded in asks for one in encoded)
    assert max(model.sizes) <= max(room, longest)


def test_who_waits_together_shares_a_turn_and_a_history_counts_once() -> None:
    _, model = answers([questions(5, 4) for _ in range(6)], room=45)
    assert len(model.turns) == 1
    _, model = answers([questions(user, 4) for user in range(6)], room=60)
    assert [len(turn) for turn in model.turns] == [2, 2, 2]


def test_a_catalogue_holds_nobody_up_for_long() -> None:
    _, model = answers([questions(1, 100), questions(2, 3)], room=50)
    first, second = model.turns[0][0][0], model.turns[1][0][0]
    assert model.turns[0] == [(first, 29)]
    assert model.turns[1][:2] == [(second, 3), (first, model.turns[1][1][1])]


def test_one_at_a_time() -> None:
    _, model = answers([questions(1, 2) for _ in range(3)], room=1000, together=1)
    assert [len(turn) for turn in model.turns] == [1, 1, 1]


def test_places_are_given_back() -> None:
    line = Line(Model().compute, lambda longest: 1, places=1, together=1)
    with line.place(), pytest.raises(FullError, match="All 1 places are taken"), line.place():
        pass
    with line.place():
        assert line.taken == 1
    assert line.taken == 0
