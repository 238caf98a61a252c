"""What a page calls its question, its rows and what they are about: liking a movie, or answers of a user's own.

`facts` reads from a run's folder what its records ask, and `page` and `figures` speak in these words.
"""

from dataclasses import dataclass

from likely.data.records import Labels
from likely.data.task import RatingsTask, RecordsTask, Task
from likely.data.wording import asks_what_is_next


@dataclass(frozen=True)
class Terms:
    """Words of a page.

    Attributes:
        question: stands under its title.
        positives: rows whose right answer is the positive label.
        positive: what they are, in a legend.
        negative: what the others are.
        item: what a candidate is.
    """

    question: str = "Will this user like this movie?"
    positives: str = "liked rows"
    positive: str = "liked"
    negative: str = "not liked"
    item: str = "movie"


def terms_of(task: Task | None, labels: Labels) -> Terms:
    """Return the words for what records ask; None is what earlier versions asked."""
    if isinstance(task, RecordsTask):
        positive, negative = labels.positive, labels.negative
        return Terms(f"{positive} or {negative}?", f"{positive} rows", positive, negative, "item")
    if task is not None and task.words.shows == "label":
        return _of_verb(f"Will this {task.noun} be {task.words.verb}?", task)
    if task is not None and asks_what_is_next(task.protocol.like_threshold, task.words):
        return _of_verb(f"Will this {task.noun} be {task.words.verb} next?", task)
    return Terms() if task is None else Terms(f"Will this user like this {task.noun}?", item=task.noun)


def _of_verb(question: str, task: RatingsTask) -> Terms:
    verb = task.words.verb
    return Terms(question, f"{verb} rows", verb, f"not {verb}", task.noun)
