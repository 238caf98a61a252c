"""Invents what `your-own-data.md` works with: books, reviews and games that users rate by taste, and a tiny model.

python docs/guides/invent_tables.py FOLDER
"""

import json
import sys
from pathlib import Path

import numpy as np
import polars as pl

from likely.sources.tiny_model import TinyShape, chat_prompt, make_tiny_base

NAMES = ("Vera", "Otto", "Mina", "Jonas", "Clara", "Felix", "Ada", "Hugo")
SURNAMES = ("Lindqvist", "Marlowe", "Okafor", "Tanaka", "Moreau", "Rossi", "Novak", "Iyer")
WORDS = ("Amber", "Quiet", "Hollow", "Tin", "Velvet", "Sunken", "Paper", "Gilded", "Crooked", "Borrowed")
THINGS = ("Orchard", "Lantern", "Ferry", "Compass", "Glacier", "Teapot", "Walrus", "Parcel", "Quarry", "Windmill")
KINDS = ("crime", "romance", "fantasy", "history", "travel")


def invent(users: int, items: int, each: int, highest: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return ratings from 1 to `highest` and items: taste for makers and kinds, and the quality of an item, decide."""
    draw = np.random.default_rng(seed)
    makers, kinds = draw.integers(len(NAMES) * 5, size=items), draw.integers(len(KINDS), size=items)
    quality, popularity = draw.normal(0, 1, items), draw.permutation(1 / np.arange(5, items + 5))
    taste, mood = draw.normal(0, 1, (users, len(NAMES) * 5)), draw.normal(0, 1, (users, len(KINDS)))
    rated = np.stack([draw.choice(items, each, False, popularity / popularity.sum()) for _ in range(users)])
    who = np.repeat(np.arange(users), each)
    what = rated.ravel()
    liking = (
        taste[who, makers[what]] + 1.2 * mood[who, kinds[what]] + 0.8 * quality[what] + draw.normal(0, 0.8, len(who))
    )
    stars = np.clip(np.round(highest * (0.62 + 0.13 * liking)), 1, highest).astype(int)
    times = 1_600_000_000 + draw.integers(10**7, size=users)[who] + np.tile(np.arange(each), users) * 40_000
    titles = [
        f"The {WORDS[k % 10]} {THINGS[k // 10 % 10]}{'' if k < 100 else f' {k // 100 + 1}'}" for k in range(items)
    ]
    spelled = [f"{NAMES[maker % 8]} {SURNAMES[(maker // 5) % 8]}" for maker in makers.tolist()]
    ratings = pl.DataFrame({"user": who, "item": what, "stars": stars, "time": times})
    return ratings, pl.DataFrame(
        {"item": range(items), "title": titles, "maker": spelled, "kind": [KINDS[k] for k in kinds]}
    )


def main(folder: Path) -> None:
    """Write everything."""
    folder.mkdir(parents=True, exist_ok=True)
    ratings, items = invent(users=1000, items=600, each=50, highest=10, seed=1)
    isbn = pl.format("{}X", (pl.col("item") * 7919 + 100_000_000).cast(pl.String).str.zfill(9))
    date = pl.from_epoch("time").dt.strftime("%Y-%m-%d %H:%M:%S")
    reader = pl.format("reader {}", "user")
    books = ratings.select(reader.alias("reader"), isbn.alias("isbn"), "stars", date.alias("date"))
    books.write_csv(folder / "ratings.csv")
    items.select(isbn.alias("isbn"), "title", pl.col("maker").alias("author")).write_csv(
        folder / "books.csv", separator=";"
    )

    ratings, items = invent(users=300, items=300, each=40, highest=5, seed=2)
    with (folder / "reviews.jsonl").open("w") as out:
        for user, item, stars, time in ratings.iter_rows():
            review = {"rating": float(stars), "title": "As expected", "text": "...", "parent_asin": f"B{item:09d}"}
            out.write(json.dumps({**review, "user_id": f"AE{user:05d}", "timestamp": time * 1000 + 123}) + "\n")
    with (folder / "meta.jsonl").open("w") as out:
        for item, title, maker, kind in items.iter_rows():
            about = {"title": title, "store": maker, "categories": ["Books", kind], "parent_asin": f"B{item:09d}"}
            out.write(json.dumps({**about, "price": None, "details": {"Pages": "300"}}) + "\n")

    ratings, items = invent(users=300, items=300, each=40, highest=5, seed=3)
    (folder / "games").mkdir(exist_ok=True)
    typed = {"user": "user_id:token", "item": "item_id:token", "stars": "rating:float", "time": "timestamp:float"}
    ratings.rename(typed).write_csv(folder / "games" / "games.inter", separator="\t")
    named = {"item": "item_id:token", "title": "title:token_seq", "kind": "genre:token_seq"}
    items.select(*named).rename(named).write_csv(folder / "games" / "games.item", separator="\t")

    lines = [
        f"- {title} | by {maker}, {kind} | rated {k % 10 + 1}"
        for k, (_, title, maker, kind) in enumerate(items.iter_rows())
    ]
    prompts = [chat_prompt("\n".join(["History, oldest first:", *lines[k : k + 12]])) for k in range(200)]
    make_tiny_base(folder / "tiny", prompts, TinyShape(steps=60))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
