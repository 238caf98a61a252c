"""The one exception that speaks to the user, and the nearest word to one that was mistyped.

Every module raises :class:`LikelyError` for what a user can get wrong (a file, a key, a value);
the command line prints its sentence and exits with status 2. Bugs raise anything else and keep
their traceback.
"""

import difflib
from collections.abc import Iterable


class LikelyError(Exception):
    """A mistake the user can fix: one sentence that says what is wrong, where, and what to do."""


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return a question that names the nearest of the choices, or one that holds the word; empty where none is near.

    >>> did_you_mean("learning_rat", ["learning_rate", "seed"]), did_you_mean("ASIN", ["parent_asin"])
    ('did you mean learning_rate?', 'did you mean parent_asin?')
    """
    choices, asked = list(choices), word.casefold()
    near = [choice for choice in choices if choice.casefold() == asked]
    near += [choice for choice in choices if len(asked) > 2 and asked in choice.casefold()]
    near += difflib.get_close_matches(word, choices, 1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else ""


class StoppedError(Exception):
    """Ctrl-C or SIGTERM ended a training after all was saved: one sentence that says where it stands.

    Attributes:
        exit_status: what a shell expects of a process that such a signal ended, 128 and its number.
    """

    def __init__(self, sentence: str, exit_status: int) -> None:
        """Say `sentence`, which the command prints with the command that goes on."""
        super().__init__(sentence)
        self.exit_status = exit_status
