"""The words of a prompt: how a question, an item, a rating, a candidate and a hint are put, and how they are read back.

`timelines` writes records in these words for training; `inference.ranking` asks about new candidates in the same, and
`evaluation.features` reads ratings and years back out of them. A hint says in words what counting knows: a small model
reads "Other users liked the candidate" long before it has learnt to count ratings.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from likely.config.table_config import Shows
from likely.data.shares import Shares


@dataclass(frozen=True)
class Words:
    """What is rated, how it is spoken of, and on which scale.

    Attributes:
        noun: in the singular, such as "book".
        plural: of the noun; where empty, as most nouns make it.
        details: what else is known of an item, in the plural, such as "genres".
        lowest: end of the scale.
        highest: other end of it; of quantities, the largest in the data, and no limit.
        shows: what a line of a history says of an item.
        verb: what users do with items, as a past participle, such as "played".
        unit: of a quantity, such as "hours"; may be empty.
    """

    noun: str = "movie"
    plural: str = ""
    details: str = "genres"
    lowest: float = 0.5
    highest: float = 5.0
    shows: Shows = "rating"
    verb: str = "rated"
    unit: str = ""

    def __post_init__(self) -> None:
        """Make the plural."""
        if not self.plural:
            object.__setattr__(self, "plural", _plural(self.noun))

    @property
    def scale(self) -> str:
        """The scale as a question names it."""
        if (self.lowest, self.highest) == (MOVIES.lowest, MOVIES.highest):
            return "up to 5 stars"
        return f"from {self.lowest:g} to {self.highest:g}"


def _plural(noun: str) -> str:
    """Return the usual plural of an English noun.

    >>> [_plural(noun) for noun in ("book", "story", "toy", "dish")]
    ['books', 'stories', 'toys', 'dishes']
    """
    if re.search(r"[^aeiou]y$", noun):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "z", "ch", "sh")) else f"{noun}s"


MOVIES = Words()
"""Those of MovieLens."""


def make_instruction(like_threshold: float, words: Words = MOVIES) -> str:
    """Return the question that all records of a preparation ask; a like is rated at least `like_threshold`.

    Where everything that a user took is a like, the others being drawn at random, the question is what comes next.
    """
    noun, verb = words.noun, words.verb
    if words.shows == "label":
        return (
            f"Below are {words.plural} in order of time, each with whether a user {verb} it, and then a candidate "
            f"{noun} that comes next. Will the candidate {noun} be {verb}? Answer Yes or No."
        )
    if words.shows in ("nothing", "quantity"):
        told = f"in the order in which they were {verb}"
        told += f", each with how much{f' ({words.unit})' if words.unit else ''}" if words.shows == "quantity" else ""
        if asks_what_is_next(like_threshold, words):
            asked = f"Is the candidate the {noun} that this user {verb} next?"
        else:
            asked = (
                f"Will this user like the candidate {noun}, that is, reach {_amount(like_threshold, words)} or more "
                "with it?"
            )
        return (
            f"Below are {words.plural} that a user {verb}, {told}, and then a candidate {noun}. {asked} Answer Yes or "
            "No."
        )
    return (
        f"A user rated {words.plural} on a scale {words.scale}. Below are some of these ratings in the order in which "
        f"they were given, and then a candidate {words.noun} that the user rates next. Will this user like the "
        f"candidate {words.noun}, that is, rate it {like_threshold:g} or higher? Answer Yes or No."
    )


def asks_what_is_next(like_threshold: float, words: Words) -> bool:
    """Say whether everything that a user took is a like."""
    return words.shows == "nothing" or (words.shows == "quantity" and like_threshold <= 0)


def show_item(title: str, year: int | None, details: Sequence[str]) -> str:
    """Return an item as the prompt names it.

    >>> show_item("Heat", 1995, ["Action", "Crime"]), show_item("Cosmos", None, [])
    ('Heat (1995) | Action, Crime', 'Cosmos')
    """
    named = title if year is None else f"{title} ({year})"
    return f"{named} | {', '.join(details)}" if details else named


def show_rated(item: str, rating: float | None, words: Words = MOVIES) -> str:
    """Return a history's line for an item, given as :func:`show_item` names it.

    >>> show_rated("Heat (1995) | Action, Crime", 4.0)
    '- Heat (1995) | Action, Crime | rated 4'
    >>> show_rated("Portal", 12.5, Words("game", shows="quantity", verb="played", unit="hours"))
    '- Portal | played 12.5 hours'
    >>> show_rated("Yesterday", 12345678, Words("song", shows="quantity", verb="played", unit="times"))
    '- Yesterday | played 12345678 times'
    >>> show_rated("Emma", 0, Words("book", shows="label", verb="liked")), show_rated("Emma", 1, Words(shows="nothing"))
    ('- Emma | not liked', '- Emma')
    """
    if words.shows == "nothing":
        return f"- {item}"
    assert rating is not None
    if words.shows == "label":
        return f"- {item} | {words.verb if rating else f'not {words.verb}'}"
    return f"- {item} | {words.verb} {_amount(rating, words)}"


def _amount(value: float, words: Words) -> str:
    """Return a rating or a quantity: six digits at most, but the whole of a number that is larger."""
    number = f"{value:g}" if abs(value) < 1e6 else f"{value:.0f}"
    return f"{number} {words.unit}" if words.unit else number


def read_rated(line: str, words: Words = MOVIES) -> tuple[str, float | None]:
    """Return the item and the rating of a line that :func:`show_rated` wrote in the same words.

    >>> read_rated("- Heat (1995) | Action, Crime | rated 4")
    ('Heat (1995) | Action, Crime', 4.0)

    Raises:
        KeyError, ValueError: the line was written in other words.
    """
    item, _, told = line.removeprefix("- ").rpartition(" | ")
    if words.shows == "nothing":
        return line.removeprefix("- "), None
    if words.shows == "label":
        return item, {words.verb: 1.0, f"not {words.verb}": 0.0}[told]
    return item, float(told.removeprefix(f"{words.verb} ").removesuffix(f" {words.unit}"))


def read_line(line: str, words: Words | None) -> tuple[str, float | None] | None:
    """Return the item and the rating of a line of a history, None for both where it is in other words.

    Args:
        line: one of :func:`history_lines`.
        words: in which records speak of ratings; None for a guess, which takes a number at the end for a rating.
    """
    if words is None:
        found = RATED_LINE.match(line)
        return (line.removeprefix("- ").rpartition(" | ")[0], float(found[1])) if found else None
    try:
        return read_rated(line, words)
    except (KeyError, ValueError):
        return None


MIXED_FEELINGS, MIXED = "had mixed feelings about", "mixed"
"""The opinion in the middle, and its short form."""

OPINIONS = (
    (0.20, "hated"),
    (0.32, "disliked"),
    (0.44, "slightly disliked"),
    (0.56, MIXED_FEELINGS),
    (0.68, "slightly liked"),
    (0.80, "liked"),
    (1.01, "loved"),
)
"""Words for shares of likes: each holds below its bound and from the bound before on."""


def hint(shares: Shares, words: Words = MOVIES, short: bool = False) -> str:
    """Return what a record says of its shares, in two sentences or in one that is about half as long.

    >>> hint(Shares(of_all=0.6, above=0.9, of_genres=0.5, of_similar=0.1, others=0.3))  # doctest: +NORMALIZE_WHITESPACE
    'This user slightly liked earlier movies, loved those above, had mixed feelings about these genres,
     hated similar movies. Other users disliked the candidate.'
    >>> hint(Shares(of_all=0.6, above=0.9, of_genres=math.nan, of_similar=math.nan, others=math.nan))
    'This user slightly liked earlier movies, loved those above. No other user has rated the candidate before.'
    >>> hint(Shares(of_all=math.nan, above=math.nan, of_genres=math.nan, of_similar=math.nan, others=0.9))
    'This user has rated no movies before. Other users loved the candidate.'
    >>> hint(Shares(of_all=0.6, above=0.9, of_genres=0.5, of_similar=0.1, others=0.3), short=True)
    'Earlier slightly liked, above loved, genres mixed, similar hated, others disliked.'
    """
    if short:
        return _short_hint(shares, words)
    objects = {
        f"earlier {words.plural}": shares.of_all,
        "those above": shares.above,
        f"these {words.details}": shares.of_genres,
        f"similar {words.plural}": shares.of_similar,
    }
    told = [f"{opinion(share)} {name}" for name, share in objects.items() if not math.isnan(share)]
    user = ", ".join(told) or f"has rated no {words.plural} before"
    if math.isnan(shares.others):
        return f"This user {user}. No other user has rated the candidate before."
    return f"This user {user}. Other users {opinion(shares.others)} the candidate."


def _short_hint(shares: Shares, words: Words) -> str:
    named = ("earlier", "above", words.details, "similar", "others")
    told = [
        f"{name} {MIXED if (verb := opinion(share)) == MIXED_FEELINGS else verb}"
        for name, share in zip(named, vars(shares).values(), strict=True)
        if not math.isnan(share)
    ]
    told += ["others unknown"] if math.isnan(shares.others) else []
    said = ", ".join(told)
    return f"{said[0].upper()}{said[1:]}."


def is_like(rating: float | None, like_threshold: float) -> bool:
    """Return whether a rating is a like; None stands for something that was taken and of which no rating is told."""
    return rating is None or rating >= like_threshold


def opinion(share_liked: float) -> str:
    """Return a share of likes between 0 and 1 as a verb."""
    return next(word for bound, word in OPINIONS if share_liked < bound)


RATED_LINE = re.compile(r"^- .*\| [^|\d\n]+ (-?\d+(?:\.\d+)?(?:e[+-]\d+)?)(?: [^|\n]+)?$", re.MULTILINE)
"""What looks like a line of a history with a rating, `rated 4`, or a quantity, `played 12.5 hours`, which it captures.

For records whose words are unknown; :func:`read_rated` reads those whose words are known.
"""

YEAR = re.compile(r" \((\d{4})\)(?: \| |$)")
