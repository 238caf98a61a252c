"""Prompts cut into what they share and what each has of its own, as a server's scoring API takes them.

Takes the prompt builder and records, usually one history with several candidates; `cli.render` prints what comes out.
SGLang's `/v1/score` computes `query` once and every one of `items` after it (https://docs.sglang.io).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from likely.data.records import Record
from likely.encoding.prompt import PromptBuilder
from likely.encoding.prompt_lines import prompt_lines
from likely.errors import LikelyError


@dataclass(frozen=True)
class SplitPrompts:
    """Prompts, each of them the query and one of the items, without its answer.

    Attributes:
        query: what all have in common, up to the end of a line.
        items: what follows in each.
        query_ids: token ids of the query.
        items_ids: token ids of each item.
    """

    query: str
    items: list[str]
    query_ids: list[int]
    items_ids: list[list[int]]


def split_prompts(builder: PromptBuilder, records: Sequence[Record], neighbours: Sequence[Record] = ()) -> SplitPrompts:
    """Cut the prompts of records where the first of them begins to differ from all others.

    Args:
        builder: of their run.
        records: whose prompts to cut, at least one.
        neighbours: records to share with where there is only one; the one that shares the most with it counts.

    Raises:
        LikelyError: a prompt is too long for the run's `cutoff_len`, or the tokenizer joins tokens where it is cut.
    """
    pieces = [prompt_lines(builder.render(record)) for record in records]
    first, others = pieces[0], pieces[1:]
    if others:
        count = min(_shared(first, other) for other in others)
    else:
        count = max((_shared(first, prompt_lines(builder.render(other))) for other in neighbours), default=0)
    # A query that is a whole prompt would leave nothing to compute after it.
    count = min(count, *(len(lines_of_one) - 1 for lines_of_one in pieces))
    query, items = "".join(first[:count]), ["".join(one[count:]) for one in pieces]
    query_ids = [int(token) for token in builder.tokenizer(query, add_special_tokens=False)["input_ids"]]
    whole = [_prompt_ids(builder, record) for record in records]
    if any(ids[: len(query_ids)] != query_ids for ids in whole):
        raise LikelyError(
            f"The tokenizer of {builder.tokenizer.name_or_path!r} joins the end of the shared part with what follows, "
            "or the text spells a control token; send whole prompts as items, with an empty query."
        )
    return SplitPrompts(query, items, query_ids, [ids[len(query_ids) :] for ids in whole])


def as_texts(builder: PromptBuilder, parts: SplitPrompts) -> tuple[str, list[str]]:
    """Return query and items as a server has to get them that joins and tokenises texts, as SGLang's does.

    Some tokenizers put a token before every text, which then must not stand there a second time.

    Args:
        builder: of their run.
        parts: of :func:`split_prompts`.

    Raises:
        LikelyError: such a server would read other prompts than the run.
    """
    whole = [[*parts.query_ids, *ids] for ids in parts.items_ids]
    bos = str(builder.tokenizer.bos_token or "")
    without = parts.query.removeprefix(bos)
    items = parts.items if parts.query else [item.removeprefix(bos) for item in parts.items]
    for query, rest in ((parts.query, parts.items), (without, items)):
        if [builder.tokenizer(query + item)["input_ids"] for item in rest] == whole:
            return query, list(rest)
    raise LikelyError(
        f"The tokenizer of {builder.tokenizer.name_or_path!r} reads a text by itself otherwise than in this run's "
        "prompts, so a server would be asked something else; send token ids, with --ids."
    )


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many lines two prompts have in common before they differ."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (line, line_of_other) in pairs if line != line_of_other), min(len(one), len(other)))


def _prompt_ids(builder: PromptBuilder, record: Record) -> list[int]:
    encoded = builder.encode(record)
    if encoded.dropped_lines:
        raise LikelyError(
            f"A prompt is longer than the run's cutoff_len of {builder.cutoff_len} tokens, so it cannot be cut; choose "
            "a shorter one."
        )
    return [int(token) for token in encoded.prompt_ids]
