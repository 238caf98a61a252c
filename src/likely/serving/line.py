"""The line in which requests wait for the model, and turns in which it computes for several of them at once.

`service` puts encoded records in and takes log-probabilities out. Nobody is made to wait for company: whoever arrives
while the model computes shares the next turn. A turn is about one forward pass. What does not fit goes to the end of
the line, so that a request for a whole catalogue holds up nobody for long, and one whose client went away is dropped.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from likely.encoding.prefix_tree import TokenIds, chain_lengths, shared_length
from likely.encoding.prompt import EncodedRecord
from likely.errors import LikelyError
from likely.model.answers import FloatRows


class FullError(LikelyError):
    """Every place is taken."""


@dataclass(frozen=True)
class Answered:
    """What the model said of some records.

    Attributes:
        log_probs: of the tokens asked about, where each record's answer begins, float64 [records, tokens].
        tokens_alone: of all records, each computed alone.
        tokens: computed for them; what is shared with another request counts for one of the two.
        together: the most requests of one turn with these.
    """

    log_probs: FloatRows
    tokens_alone: int
    tokens: int
    together: int


@dataclass(eq=False)
class Ask:
    """Records of one request that wait for their log-probabilities, in the order in which they share the most.

    Attributes:
        encoded: the records.
        tokens: of the vocabulary, whose log-probabilities are wanted.
        adapter: whether the adapter answers, or the base model without it.
        answered: set when all is known.
        order: places of the records, sorted so that neighbours share the most.
        own: tokens of each that the one before it does not have, in that order, int64 [records].
        done: how many of them are known.
    """

    encoded: Sequence[EncodedRecord]
    tokens: tuple[int, ...]
    adapter: bool
    answered: "asyncio.Future[Answered]"
    order: list[int] = field(init=False)
    own: NDArray[np.int64] = field(init=False)
    log_probs: FloatRows = field(init=False)
    done: int = 0
    computed: int = 0
    together: int = 0

    def __post_init__(self) -> None:
        """Sort the records."""
        self.order, self.own = chain_lengths([record.input_ids for record in self.encoded])
        self.log_probs = np.zeros((len(self.encoded), len(self.tokens)))

    @property
    def longest(self) -> int:
        """Tokens of the longest record."""
        return max(len(record.input_ids) for record in self.encoded)

    @property
    def head(self) -> TokenIds:
        """Tokens of the record that comes next."""
        return self.encoded[self.order[self.done]].input_ids

    def next_places(self, room: int, computed: Sequence[TokenIds]) -> tuple[list[int], int]:
        """Return the places of the records that come next and fit into a turn, and how many tokens they add.

        Args:
            room: tokens that are left.
            computed: first records of the requests that are in the turn; what is shared with one of them is there.
        """
        costs = self.own[self.done :].copy()
        costs[0] = len(self.head) - max((shared_length(self.head, other) for other in computed), default=0)
        ends = costs.cumsum()
        count = int(np.searchsorted(ends, room, side="right"))
        return self.order[self.done : self.done + count], int(ends[count - 1]) if count else 0

    def finish(self) -> None:
        """Hand over what is known."""
        alone = sum(len(record.input_ids) for record in self.encoded)
        self.answered.set_result(Answered(self.log_probs, alone, self.computed, self.together))


@dataclass(frozen=True)
class Portion:
    """What a turn computes of one request: some of its records, by their places."""

    ask: Ask
    places: list[int]

    @property
    def is_part(self) -> bool:
        """Whether the request has records in other turns too."""
        return len(self.places) < len(self.ask.encoded)


class Line:
    """The requests that wait, and the one thread in which the model computes.

    Args:
        compute: fills the log-probabilities of a turn's portions; called in the thread.
        room: how many tokens a turn should have that begins with a record of some length.
        places: requests that may be under way at once.
        together: the most requests of one turn.
    """

    def __init__(
        self,
        compute: Callable[[Sequence[Portion]], None],
        room: Callable[[int], int],
        places: int,
        together: int,
    ) -> None:
        """Make a line in which nobody waits."""
        self._compute, self._room = compute, room
        self._places, self._together = places, together
        self._waiting: deque[Ask] = deque()
        self._somebody = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self.taken = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take a place for as long as a request is under way.

        Raises:
            FullError: none is free.
        """
        if self.taken >= self._places:
            raise FullError(f"All {self._places} places are taken; try again in a second.")
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1

    async def ask(self, encoded: Sequence[EncodedRecord], tokens: Sequence[int], adapter: bool = True) -> Answered:
        """Wait for what the model says of records; to be cancelled by whoever does not want to know any more."""
        if not encoded:
            return Answered(np.zeros((0, len(tokens))), 0, 0, 0)
        ask = Ask(encoded, tuple(tokens), adapter, asyncio.get_running_loop().create_future())
        self._waiting.append(ask)
        self._somebody.set()
        return await ask.answered

    async def work(self) -> None:
        """Compute turn after turn until cancelled; a turn that fails fails for those who shared it, and no others."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                await self._somebody.wait()
                turn = self._next_turn()
                if not turn:
                    self._somebody.clear()
                    continue
                computing = loop.run_in_executor(self._thread, self._compute, turn)
                await asyncio.wait([computing])
                self._settle(turn, computing.exception())
        finally:
            self._thread.shutdown(wait=False)

    def _next_turn(self) -> list[Portion]:
        """Return what fits into a turn, from the head of the line; at least one record if anybody waits."""
        turn: list[Portion] = []
        heads: list[TokenIds] = []
        left = 0
        while self._waiting and len(turn) < self._together:
            ask = self._waiting.popleft()
            if ask.answered.done():  # the client went away
                continue
            if not turn:
                left = max(self._room(ask.longest), ask.longest)
            places, tokens = ask.next_places(left, heads)
            if not places:
                self._waiting.appendleft(ask)
                break
            left -= tokens
            heads.append(ask.head)
            turn.append(Portion(ask, places))
        return turn

    def _settle(self, turn: Sequence[Portion], error: BaseException | None) -> None:
        """Answer who is done, and send the others to the end of the line."""
        for portion in turn:
            ask = portion.ask
            ask.done += len(portion.places)
            ask.together = max(ask.together, len(turn))
            if ask.answered.done():
                continue
            if error is not None:
                ask.answered.set_exception(error)
            elif ask.done == len(ask.encoded):
                ask.finish()
            else:
                self._waiting.append(ask)
