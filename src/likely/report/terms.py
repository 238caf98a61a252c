"""What a page calls its question, its rows and what they are about: liking a movie, or answers of a user's own.

`facts` reads from a run's folder what its records ask, and `page` and `figures` speak in these words.
"""

from dataclasses import dataclass

from likely.data.records import Labels
from likely.data.task import RecordsTask, Task


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
    return Terms() if task is None else Terms(f"Will this user like this {task.noun}?", item=task.noun)
