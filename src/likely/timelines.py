"""From ratings to records: each user's timeline, split so that nothing is told of the future.

Takes the tables of `movielens` and writes train.json, eval.json and test.json through `records`.

A user's ratings in time order are a timeline. Every rating after the warm-up becomes one record:
the ratings before it are its history, its movie is the candidate, and whether the rating is a like
is the answer. The last ratings of each user are for testing, those before them for evaluation.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from likely.errors import LikelyError
from likely.movielens import HIGHEST_RATING, MovieLens
from likely.records import write_records

SPLITS = ("train", "eval", "test")
WARMUP = -1
INSTRUCTION = (
    "A user rated movies on a scale up to 5 stars. From the history below, will this user like the candidate movie "
    "at its end, that is, rate it {threshold:g} or higher? Answer Yes or No."
)


@dataclass(frozen=True)
class Protocol:
    """How timelines become records.

    Attributes:
        warmup: first ratings of each user that are only history.
        history_length: ratings of a sliding window; an anchored one holds from so many to twice as many, less one.
        window: `anchored` windows start at fixed points of the timeline and grow, so that a user's
            consecutive records share all but their last lines; `sliding` ones always hold the last ratings.
        like_threshold: a rating from here on is a like, in stars.
        test_fraction: of a user's ratings after the warm-up, rounded down but at least one.
        eval_fraction: likewise, of those before the test ratings.
    """

    warmup: int = 15
    history_length: int = 15
    window: str = "anchored"
    like_threshold: float = 4.0
    test_fraction: float = 0.10
    eval_fraction: float = 0.05

    def check(self) -> None:
        """Raise LikelyError for what makes no sense."""
        if self.warmup < 1 or self.history_length < 1:
            raise LikelyError(
                f"warmup {self.warmup} and history_len {self.history_length} have to be at least 1, "
                "or records would have no history."
            )
        if self.window not in ("anchored", "sliding"):
            raise LikelyError(f"window {self.window!r} is unknown; it can be anchored or sliding.")
        if not 0.5 < self.like_threshold <= HIGHEST_RATING:
            raise LikelyError(f"like_threshold {self.like_threshold:g} has to lie above 0.5 and at most at 5 stars.")
        if min(self.test_fraction, self.eval_fraction) < 0 or self.test_fraction + self.eval_fraction >= 1:
            raise LikelyError("test_fraction and eval_fraction have to be at least 0 and leave something to train on.")


@dataclass(frozen=True)
class SplitSummary:
    """One line of the table that preparing prints.

    Attributes:
        users: users with a record in the split.
        rows: records.
        likes: records whose answer is Yes.
        unseen: records whose candidate nobody rated in training or warm-up.
    """

    users: int
    rows: int
    likes: int
    unseen: int


@dataclass(frozen=True)
class Timelines:
    """All ratings in the order of user, time and movie, one entry a rating in every array.

    Attributes:
        user: user id, int32.
        movie: movie id, int32.
        rating: stars, float32.
        timestamp: seconds since 1970, int64.
        index: place in the user's timeline, from 0, int64.
        split: place in :data:`SPLITS`, or -1 in the warm-up, int8.
        starts: first rating of each user and the end of the last, int64 [users + 1].
    """

    user: NDArray[np.int32]
    movie: NDArray[np.int32]
    rating: NDArray[np.float32]
    timestamp: NDArray[np.int64]
    index: NDArray[np.int64]
    split: NDArray[np.int8]
    starts: NDArray[np.int64]


def make_timelines(
    ratings: pl.DataFrame, protocol: Protocol, max_users: int | None = None, seed: int = 42
) -> Timelines:
    """Sort ratings into timelines and split each.

    Args:
        ratings: user_id i32, movie_id i32, rating f32, timestamp i64.
        protocol: how to split.
        max_users: keep so many users, chosen at random.
        seed: of that choice.
    """
    lazy = ratings.lazy()
    if max_users is not None:
        users = np.unique(ratings["user_id"].to_numpy())
        kept = np.random.default_rng(seed).permutation(users)[:max_users]
        lazy = lazy.filter(pl.col("user_id").is_in(kept.tolist()))
    table = lazy.sort("user_id", "timestamp", "movie_id").collect()
    user = table["user_id"].to_numpy()
    starts = np.flatnonzero(np.diff(user, prepend=user[:1] - 1, append=user[-1:] + 1)).astype(np.int64)
    lengths = np.diff(starts)
    index = np.arange(len(user)) - np.repeat(starts[:-1], lengths)
    split = _split(index, np.repeat(lengths, lengths), protocol)
    movie, rating, timestamp = (table[name].to_numpy() for name in ("movie_id", "rating", "timestamp"))
    return Timelines(user, movie, rating, timestamp, index, split, starts)


def _split(index: NDArray[np.int64], length: NDArray[np.int64], protocol: Protocol) -> NDArray[np.int8]:
    """Return the split of each rating, from its place in a timeline and the timeline's length."""
    after_warmup = np.maximum(length - protocol.warmup, 0)
    tested = np.minimum(np.maximum(np.floor(after_warmup * protocol.test_fraction + 1e-9), 1), after_warmup)
    evaluated = np.maximum(np.floor(after_warmup * protocol.eval_fraction + 1e-9), 1)
    evaluated = np.minimum(evaluated, after_warmup - tested)
    split = np.where(index >= length - tested, 2, np.where(index >= length - tested - evaluated, 1, 0))
    return np.where(index < protocol.warmup, WARMUP, split).astype(np.int8)


def window_start(index: int, protocol: Protocol) -> int:
    """Return where in a timeline the history of its rating number `index` starts.

    With a history length of 15, the anchored windows of ratings 15 to 29 all start at 0 and hold 15
    to 29 ratings, those of 30 to 44 start at 15, and so on.
    """
    length = protocol.history_length
    if protocol.window == "sliding":
        return max(index - length, 0)
    return max(index - length, 0) // length * length


def movie_text(title: str, year: int | None, genres: list[str]) -> str:
    """Return a movie as prompts show it: `Heat (1995) | Action, Crime`."""
    return title + (f" ({year})" if year is not None else "") + (f" | {', '.join(genres)}" if genres else "")


def records_of_split(
    timelines: Timelines, movies: dict[int, str], protocol: Protocol, split: int
) -> Iterator[dict[str, Any]]:
    """Yield the records of one split, user by user in time order, as they are written to its file.

    Args:
        timelines: as :func:`make_timelines` gives them.
        movies: text of every movie.
        protocol: window and threshold.
        split: place in :data:`SPLITS`.
    """
    instruction = INSTRUCTION.format(threshold=protocol.like_threshold)
    for first, last in zip(timelines.starts[:-1].tolist(), timelines.starts[1:].tolist(), strict=True):
        wanted = np.flatnonzero(timelines.split[first:last] == split).tolist()
        if not wanted:
            continue
        user = int(timelines.user[first])
        ids = timelines.movie[first:last].tolist()
        ratings = timelines.rating[first:last].tolist()
        times = timelines.timestamp[first:last].tolist()
        lines = [f"- {movies[movie]} | rated {rating:g}" for movie, rating in zip(ids, ratings, strict=True)]
        likes = [0, *np.cumsum(timelines.rating[first:last] >= protocol.like_threshold).tolist()]
        for index in wanted:
            start = window_start(index, protocol)
            history = "\n".join(lines[start:index])
            yield {
                "instruction": instruction,
                "input": f"History, oldest first:\n{history}\nCandidate: {movies[ids[index]]}",
                "output": "Yes" if ratings[index] >= protocol.like_threshold else "No",
                "user_id": user,
                "item_id": ids[index],
                "timestamp": times[index],
                "history_likes": likes[index] - likes[start],
                "history_length": index - start,
            }


def summarize(timelines: Timelines, protocol: Protocol) -> dict[str, SplitSummary]:
    """Return the figures of each split."""
    trained_on = np.unique(timelines.movie[(timelines.split == WARMUP) | (timelines.split == 0)])
    liked = timelines.rating >= protocol.like_threshold
    seen = np.isin(timelines.movie, trained_on)
    figures = {}
    for place, name in enumerate(SPLITS):
        rows = timelines.split == place
        figures[name] = SplitSummary(
            users=len(np.unique(timelines.user[rows])),
            rows=int(rows.sum()),
            likes=int((rows & liked).sum()),
            unseen=int((rows & ~seen).sum()),
        )
    return figures


def prepare(
    data: MovieLens, output_dir: Path, protocol: Protocol, max_users: int | None = None, seed: int = 42
) -> dict[str, SplitSummary]:
    """Write train.json, eval.json, test.json and preparation.json, all of them or none.

    Args:
        data: a MovieLens release.
        output_dir: where to; made if missing.
        protocol: see :class:`Protocol`.
        max_users: keep so many users, chosen at random.
        seed: of that choice.

    Returns:
        Figures of each split.

    Raises:
        LikelyError: the protocol makes no sense, nobody has ratings enough, or the folder cannot be written.
    """
    protocol.check()
    timelines = make_timelines(data.ratings, protocol, max_users, seed)
    figures = summarize(timelines, protocol)
    if not figures["train"].rows:
        raise LikelyError(
            f"No user of {data.name} has enough ratings to train on after a warm-up of {protocol.warmup}; "
            "lower the warm-up or take a larger release."
        )
    movies = {
        movie: movie_text(title, year, genres)
        for movie, title, year, genres in data.movies.select("movie_id", "title", "year", "genres").iter_rows()
    }
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output_dir, prefix=".preparing-") as folder:
            for place, name in enumerate(SPLITS):
                write_records(Path(folder) / f"{name}.json", records_of_split(timelines, movies, protocol, place))
            told = {"dataset": data.name, "protocol": asdict(protocol), "max_users": max_users, "seed": seed}
            told["splits"] = {name: asdict(split) for name, split in figures.items()}
            (Path(folder) / "preparation.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
            for path in Path(folder).iterdir():
                os.replace(path, output_dir / path.name)
    except OSError as error:
        raise LikelyError(f"{output_dir} cannot be written ({error.strerror}); choose another folder.") from error
    return figures
