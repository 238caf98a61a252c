"""The words of a prompt: how a question, a movie, a rating, a candidate and a hint are put, and how they are read back.

`timelines` writes records in these words for training; `inference.ranking` asks about new candidates in the same, and
`evaluation.features` reads ratings and years back out of them. A hint says in words what counting knows: a small model
reads "Other users liked the candidate" long before it has learnt to count ratings.
"""

import math
import re
from collections.abc import Sequence

from likely.data.liked_shares import Shares


def make_instruction(like_threshold: float) -> str:
    """Return the question that all records of a preparation ask; a like has at least `like_threshold` stars."""
    return (
        "A user rated movies on a scale up to 5 stars. Below are some of these ratings in the order in which they "
        "were given, and then a candidate movie that the user rates next. Will this user like the candidate movie, "
        f"that is, rate it {like_threshold:g} or higher? Answer Yes or No."
    )


def show_movie(title: str, year: int | None, genres: list[str]) -> str:
    """Return a movie as the prompt names it.

    >>> show_movie("Heat", 1995, ["Action", "Crime"]), show_movie("Cosmos", None, [])
    ('Heat (1995) | Action, Crime', 'Cosmos')
    """
    named = title if year is None else f"{title} ({year})"
    return f"{named} | {', '.join(genres)}" if genres else named


def show_rated(movie: str, rating: float) -> str:
    """Return a history's line for a movie, given as :func:`show_movie` names it.

    >>> show_rated("Heat (1995) | Action, Crime", 4.0)
    '- Heat (1995) | Action, Crime | rated 4'
    """
    return f"- {movie} | rated {rating:g}"


def show_question(history: Sequence[str], candidate: str, hint: str = "") -> str:
    """Return a record's input: the lines of its history, oldest first, its candidate, and a hint if there is one.

    What is different in every record comes last, so that records of one history begin alike.
    """
    shown = "\n".join(history)
    question = f"History, oldest first:\n{shown}\nCandidate: {candidate}"
    return f"{question}\n{hint}" if hint else question


OPINIONS = (
    (0.20, "hated"),
    (0.32, "disliked"),
    (0.44, "slightly disliked"),
    (0.56, "had mixed feelings about"),
    (0.68, "slightly liked"),
    (0.80, "liked"),
    (1.01, "loved"),
)
"""Words for shares of likes: each holds below its bound and from the bound before on."""


def hint(shares: Shares) -> str:
    """Return the sentences of a record.

    >>> hint(Shares(of_all=0.6, above=0.9, of_genres=0.5, of_similar=0.1, others=0.3))  # doctest: +NORMALIZE_WHITESPACE
    'This user slightly liked earlier movies, loved those above, had mixed feelings about these genres,
     hated similar movies. Other users disliked the candidate.'
    >>> hint(Shares(of_all=0.6, above=0.9, of_genres=math.nan, of_similar=math.nan, others=math.nan))
    'This user slightly liked earlier movies, loved those above. No other user has rated the candidate before.'
    """
    objects = {
        "earlier movies": shares.of_all,
        "those above": shares.above,
        "these genres": shares.of_genres,
        "similar movies": shares.of_similar,
    }
    user = ", ".join(f"{opinion(share)} {name}" for name, share in objects.items() if not math.isnan(share))
    if math.isnan(shares.others):
        return f"This user {user}. No other user has rated the candidate before."
    return f"This user {user}. Other users {opinion(shares.others)} the candidate."


def opinion(share_liked: float) -> str:
    """Return a share of likes between 0 and 1 as a verb."""
    return next(word for bound, word in OPINIONS if share_liked < bound)


RATED_LINE = re.compile(r"^- .*\| rated (\d+(?:\.\d+)?)$", re.MULTILINE)
CANDIDATE_LINE = re.compile(r"^Candidate: (.*)$", re.MULTILINE)


YEAR = re.compile(r" \((\d{4})\)(?: \| |$)")
