"""Invented ratings in the shape of a MovieLens release, for the demo without a network and for tests.

Every user likes some genres and every movie has a quality; a rating follows both, with noise. So
there is something to learn, from the history and from the candidate's genres.
"""

import csv
from pathlib import Path

import numpy as np

GENRES = ("Action", "Animation", "Comedy", "Crime", "Drama", "Fantasy", "Horror", "Romance", "Sci-Fi", "Western")
FIRST = ("Silent", "Golden", "Broken", "Electric", "Hidden", "Crimson", "Distant", "Frozen", "Paper", "Midnight")
SECOND = ("River", "Empire", "Garden", "Machine", "Letter", "Harbour", "Orchard", "Signal", "Mountain", "Carnival")
START = 1_000_000_000


def make_sample(
    folder: Path, users: int = 60, movies: int = 150, ratings_per_user: int = 45, seed: int = 0
) -> Path:
    """Write ratings.csv and movies.csv as in ml-latest-small.

    Args:
        folder: where to; made if missing.
        users: number of users.
        movies: number of movies.
        ratings_per_user: ratings of each user, of different movies.
        seed: of everything.

    Returns:
        The folder.
    """
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    genres = [sorted(random.choice(GENRES, size=random.integers(1, 4), replace=False)) for _ in range(movies)]
    with (folder / "movies.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["movieId", "title", "genres"])
        for movie in range(movies):
            name = f"{FIRST[movie % 10]} {SECOND[movie // 10 % 10]}" + (f" {movie // 100 + 1}" if movie >= 100 else "")
            rows.writerow([movie + 1, f"{name} ({1950 + int(random.integers(70))})", "|".join(genres[movie])])
    quality = random.normal(0, 0.5, movies)
    taste = random.normal(0, 1.0, (users, len(GENRES)))
    with (folder / "ratings.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["userId", "movieId", "rating", "timestamp"])
        for user in range(users):
            time = START + int(random.integers(10**8))
            for movie in random.choice(movies, size=min(ratings_per_user, movies), replace=False):
                affinity = np.mean([taste[user, GENRES.index(genre)] for genre in genres[movie]])
                stars = 3.5 + quality[movie] + 1.2 * affinity + random.normal(0, 0.4)
                time += int(random.integers(60, 10**5))
                rows.writerow([user + 1, int(movie) + 1, np.clip(round(2 * stars) / 2, 0.5, 5.0), time])
    return folder
