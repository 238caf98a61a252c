"""Synthetic data in the shape of a MovieLens release, for the demo and the tests where no real data can be had.

Writes a folder that `movielens` reads. Titles, users and ratings are invented, but not noise:
taste and quality decide them, so that a model which learns anything beats chance.
"""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from likely.errors import LikelyError
from likely.files import replacing

GENRES = ("Action", "Comedy", "Crime", "Documentary", "Drama", "Horror", "Romance", "Sci-Fi")

# fmt: off
FIRST_WORDS = (
    "Velvet", "Copper", "Paper", "Amber", "Quiet", "Crooked", "Salted", "Hollow", "Marble", "Borrowed",
    "Tin", "Feathered", "Sunken", "Woollen", "Plaid", "Gilded", "Muddy", "Polite", "Rusted", "Stubborn",
)
SECOND_WORDS = (
    "Turbine", "Orchard", "Lantern", "Ferry", "Accordion", "Almanac", "Chimney", "Compass", "Glacier", "Teapot",
    "Typewriter", "Umbrella", "Walrus", "Windmill", "Zeppelin", "Parcel", "Quarry", "Radish", "Staircase",
    "Thimble",
)
# fmt: on

TASTE_STRENGTH = 2.0
"""Standard deviation of a user's liking for a genre, in logits."""

QUALITY_STRENGTH = 1.0
"""Standard deviation of a movie's quality, in logits."""

FIRST_SECOND = 1_000_000_000
"""Earliest time of a rating, in seconds since 1970 (September 2001)."""


def make_sample(folder: Path, users: int = 60, movies: int = 120, ratings_per_user: int = 40, seed: int = 0) -> Path:
    """Write `ratings.csv` and `movies.csv`; equal arguments write equal files.

    User u likes movie m with probability

        sigmoid(mean of taste[u, g] over the genres g of m + quality[m])

    with independent normal taste and quality. Liked movies get 4, 4.5 or 5 stars, others 0.5 to
    3.5. Better movies are also rated by more users. Every user rates `ratings_per_user` different
    movies, some of them in the same second.

    Args:
        folder: made if missing.
        users: ids are 1 to `users`.
        movies: ids are 1 to `movies`; at most 400, for there are no more invented titles.
        ratings_per_user: at most `movies`.
        seed: of everything random.

    Returns:
        `folder`.

    Raises:
        LikelyError: a number is out of range or the folder cannot be written.
    """
    titles = len(FIRST_WORDS) * len(SECOND_WORDS)
    if users < 1 or not 1 <= ratings_per_user <= movies <= titles:
        raise LikelyError(
            f"A sample of {users} users with {ratings_per_user} ratings each of {movies} movies cannot be made; "
            f"choose at least 1 user, at most {titles} movies, and from 1 to as many ratings a user as movies."
        )
    draw = np.random.default_rng(seed)
    genres_of = _draw_genres(draw, movies)
    quality = draw.normal(0, QUALITY_STRENGTH, movies)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_csv(folder / "movies.csv", ("movieId", "title", "genres"), _movie_rows(draw, genres_of))
        ratings = (
            row for user in range(1, users + 1) for row in _user_rows(draw, user, genres_of, quality, ratings_per_user)
        )
        _write_csv(folder / "ratings.csv", ("userId", "movieId", "rating", "timestamp"), ratings)
    except OSError as error:
        raise LikelyError(f"Cannot write to {folder} ({error}); choose another folder.") from error
    return folder


def _draw_genres(draw: np.random.Generator, movies: int) -> NDArray[np.bool_]:
    """Return which genres each movie has, one or two, bool [movies, genres]."""
    genres_of = np.zeros((movies, len(GENRES)), bool)
    for _ in range(2):
        genres_of[np.arange(movies), draw.integers(len(GENRES), size=movies)] = True
    return genres_of


def _movie_rows(draw: np.random.Generator, genres_of: NDArray[np.bool_]) -> list[tuple[object, ...]]:
    """Return id, title and genres of each movie, spelled as MovieLens does, articles at the end."""
    names = draw.permutation([f"{first} {second}" for first in FIRST_WORDS for second in SECOND_WORDS])
    years = draw.integers(1950, 2020, size=len(genres_of))
    has_article = draw.random(len(genres_of)) < 0.3
    rows: list[tuple[object, ...]] = []
    for movie, genres in enumerate(genres_of):
        title = f"{names[movie]}{', The' if has_article[movie] else ''} ({years[movie]})"
        rows.append((movie + 1, title, "|".join(np.array(GENRES)[genres])))
    return rows


def _user_rows(
    draw: np.random.Generator,
    user: int,
    genres_of: NDArray[np.bool_],
    quality: NDArray[np.float64],
    count: int,
) -> list[tuple[object, ...]]:
    """Return the ratings of one user, ordered by movie id as MovieLens orders them."""
    taste = draw.normal(0, TASTE_STRENGTH, len(GENRES))
    logits = genres_of @ taste / genres_of.sum(1) + quality
    popularity = np.exp(quality / 2)
    rated = draw.choice(len(quality), size=count, replace=False, p=popularity / popularity.sum())
    liked = draw.random(count) < 1 / (1 + np.exp(-logits[rated]))
    stars = np.where(liked, draw.integers(8, 11, size=count), draw.integers(1, 8, size=count)) / 2
    # A pause of zero seconds now and then gives the ties that real data are full of.
    times = FIRST_SECOND + draw.integers(10**8) + np.cumsum(draw.integers(0, 5, size=count) ** 3)
    return [(user, rated[place] + 1, stars[place], times[place]) for place in np.argsort(rated)]


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[tuple[object, ...]]) -> None:
    with replacing(path) as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
