"""The words of a prompt: how a question, a movie, a rating and a candidate are put.

`timelines` writes records in these words for training; `ranking` asks about new candidates in the same.
"""

from collections.abc import Sequence


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
