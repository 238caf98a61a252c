"""What a history holds, for files that do not say it: likes and lengths, from ids and times.

Records of `likely prepare` have `history_likes` and `history_length`. Of other files with users and times, `run` counts
them here, so that baselines and groups know no less.
"""

from collections.abc import Sequence
from dataclasses import replace

from likely.data.records import Labels, Record
from likely.evaluation.features import has_history_counts, likes_of, not_among, times_of, user_keys
from likely.evaluation.like_counts import count_likes, known_of

Parts = tuple[list[Record], list[Record], list[Record]]


def with_histories(
    train: Sequence[Record], held_out: Sequence[Record], rows: Sequence[Record], labels: Labels
) -> tuple[Parts, list[str]]:
    """Return records that all say how many likes and ratings their user had before, as far as that can be known.

    Counted are the user's records of any part from strictly before. Where all records say it themselves, they stay as
    they are; where only some do, all are counted, so that the numbers of all parts mean the same.

    Args:
        train: training records.
        held_out: all eval records; some or all of them, or of the training records, may be the rows.
        rows: records to answer.
        labels: which output is a like.

    Returns:
        The three parts, and a sentence if something was counted.
    """
    parts = (list(train), list(held_out), list(rows))
    everything = [record for part in parts for record in part]
    no_users = any(record.user_id is None for record in everything)
    if has_history_counts(everything) or no_users or times_of(everything) is None:
        return parts, []
    once = [*not_among(train, rows), *not_among(held_out, [*train, *rows]), *rows]
    counts = count_likes(user_keys(once), likes_of(once, labels), times_of(once))

    def counted(part: Sequence[Record]) -> list[Record]:
        if not part:
            return []
        known = known_of(counts, user_keys(part), times_of(part))
        numbers = zip(part, known.likes.astype(int).tolist(), known.ratings.astype(int).tolist(), strict=True)
        return [
            replace(record, extra={**record.extra, "history_likes": likes, "history_length": length})
            for record, likes, length in numbers
        ]

    said = (
        "The records do not say how many likes their histories hold, so likes and lengths are counted from each user's "
        "earlier records in these files."
    )
    return (counted(parts[0]), counted(parts[1]), counted(parts[2])), [said]
