"""How a tokenizer and its chat template read a prompt, in a short text that tells them from others.

`training` keeps that of its own in the run, and `inference.trained_on` compares. It is tokens of sample conversations
that count and not files: one tokenizer is written down differently by different versions of its library, and a
template may change where no record goes.
"""

import datetime
import hashlib
from collections.abc import Iterator

from likely.data.records import Record
from likely.encoding.prompt import PromptBuilder
from likely.errors import LikelyError

NO_LIMIT, DAY = 1 << 30, datetime.date(2001, 2, 3)
"""Length and date of the samples, whatever those of the prompts are."""

WORDS = (
    "Will the user like it? She said it wasn't, they're 1,234.5 of 2001:  two spaces, (three) dots... & [more] | 100% "
    "Star Wars: Episode IV - A New Hope (1977) | Action, Adventure, Sci-Fi | rated 4.5; Monty Python and the Holy Grail"
)
SCRIPTS = (range(0x21, 0x7F), range(0xA1, 0x250), range(0x370, 0x590), range(0x5D0, 0x5EB), range(0x620, 0x660))
MORE_SCRIPTS = (range(0x900, 0x950), range(0x3041, 0x30FF), range(0x4E00, 0x4E80), range(0xAC00, 0xAC80))
EMOJI = range(0x1F3A0, 0x1F3D0)


def reading_of(builder: PromptBuilder) -> str:
    """Return a hash of the tokens of sample prompts, in every form that records have.

    It depends on tokenizer, chat template and the code of this package, not on the labels, `cutoff_len` or the date.
    """
    same = PromptBuilder(builder.tokenizer, builder.labels, NO_LIMIT, DAY)
    digest = hashlib.sha256()
    for record in _samples(builder.labels.positive):
        digest.update(repr(_prompt_of(record, same)).encode())
    return digest.hexdigest()[:16]


def _samples(answer: str) -> Iterator[Record]:
    """Yield a question with its input, one after a system prompt and one after an earlier exchange."""
    characters = "".join(chr(code) for script in (*SCRIPTS, *MORE_SCRIPTS, EMOJI) for code in script)
    yield Record(WORDS, f"{characters}\n- {WORDS}\n\n{' '.join(characters)}", answer)
    yield Record(WORDS, "", answer, system="Be brief.")
    yield Record(WORDS, "", answer, history=((WORDS, "Yes"),))


def _prompt_of(record: Record, builder: PromptBuilder) -> list[int] | None:
    """Return the ids of a prompt, without its answer; None where the template has no such conversations."""
    try:
        encoded = builder.encode(record)
    except LikelyError:
        return None
    ids: list[int] = encoded.prompt_ids.tolist()
    return ids
