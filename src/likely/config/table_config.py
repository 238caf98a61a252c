"""A table of ratings in a few words: its files, its columns, what is rated and on which scale.

Read from a YAML file or options at the edges (`cli`, `api`); `data.ratings` reads the table that it describes. The
releases of `data.movielens` are such descriptions too.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from likely.config.reading import explain, read_yaml
from likely.config.run_config import TextOrNone, without_nul
from likely.errors import LikelyError, did_you_mean

_SCALE = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*(?:-|–|to|,)\s*(-?\d+(?:\.\d+)?)\s*")


def _names(value: Any) -> Any:
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


def _ends(value: Any) -> Any:
    """Read "1-10"; what is no text is left for the type to refuse."""
    if not isinstance(value, str):
        return value
    if not (match := _SCALE.fullmatch(value)):
        raise ValueError("write the lowest and the highest rating, such as 1-10")
    return match.groups()


LIKE_THRESHOLD = 4.0
"""A like where nothing else is said: that of MovieLens, on scales up to five stars."""

Shows = Literal["rating", "quantity", "label", "nothing"]
"""What a line of a history says: rated 4; played 12.5; liked, or not liked; only what the item is."""

Names = Annotated[tuple[str, ...], BeforeValidator(_names)]

OF_PREPARE = ("hints", "short_hints", "candidate_line", "window", "history_len", "warmup", "max_users", "format")
"""Options of `likely prepare` that a table's description may be taken to have too."""

OWN = ("id", "title", "year", "rating", "earlier_likes", "earlier_ratings")
"""What files of items and histories say of every item, so that details cannot be called so."""

_DETAIL = re.compile(r"(.*)\{([^{}]+)\}(.*)")


class TableConfig(BaseModel):
    """Every key of a table of ratings.

    A column of `details` stands by itself, or in braces within words that go with it: `by {author}`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    ratings: str = Field(min_length=1, description="file of ratings: CSV, TSV, ::, JSON Lines or Parquet, also gzipped")
    eval_ratings: TextOrNone = Field(None, description="file of a given split; then ratings holds its training part")
    test_ratings: TextOrNone = Field(None, description="file of a given split, likewise")
    split: Literal["time", "global-time"] = Field(
        "time", description="time: each user's last ratings are eval and test; global-time: those of all, by one clock"
    )
    history_from: Literal["all", "train"] = Field(
        "all", description="part of a given split whose ratings histories may show: all, or train alone"
    )
    items: TextOrNone = Field(None, description="file that says what the items are; none: columns of the ratings")
    user: str = Field("user_id", description="column of the user")
    item: str = Field("item_id", description="column of the item")
    item_in_items: TextOrNone = Field(None, description="column of the item in the items file, where it differs")
    rating: TextOrNone = Field(
        None, description="column of the rating, by default rating; implicit: of a quantity such as hours, or none"
    )
    label: TextOrNone = Field(None, description="column of given labels, 1 or 0, in place of ratings")
    time: TextOrNone = Field(
        None, description="column of the time, by default timestamp if there is one; none: the order of the file"
    )
    title: TextOrNone = Field(None, description="column of the title; none: the item's id")
    year: TextOrNone = Field(
        None, description="column of the year; none: as far as titles end in it, as in Heat (1995)"
    )
    details: Names = Field((), description="columns of what else prompts say of an item: genre, by {author}")
    details_separators: tuple[str, ...] = Field(("|",), description="the first that occurs parts a detail in several")
    columns: Names = Field((), description="names of the columns of ratings without a header")
    items_columns: Names = Field((), description="names of the columns of items without a header")
    flags: Names = Field((), description="columns of items with 1 where the column's name is a detail")
    ids: Literal["any", "numbers"] = Field("any", description="numbers: refuse ids that are not whole numbers")
    name: str = Field("", description="of the data; by default that of the ratings file")
    noun: str = Field("item", min_length=1, description="what is rated, as in: will this user like this book?")
    plural: str = Field("", description="of the noun, where it is not simply one")
    details_noun: str = Field("details", min_length=1, description="what details are, in the plural, such as genres")
    scale: Annotated[tuple[float, float] | None, BeforeValidator(_ends)] = Field(
        None, description="lowest and highest rating, such as 1-10; none: those of the data"
    )
    like_threshold: float | None = Field(None, description="a rating, or a quantity, from here on is a like")
    implicit: bool = Field(False, description="lines say that a user took an item, and perhaps how much of it")
    negatives: int = Field(0, ge=0, description="implicit: items drawn for every like that the user had not taken")
    verb: str = Field("", description="past participle of what users do, such as bought; by default rated, liked, used")
    unit: str = Field("", description="of the quantity, such as hours")

    _without_nul = field_validator("*")(without_nul)

    @model_validator(mode="after")
    def _agree(self) -> "TableConfig":
        clashes = {
            "eval_ratings and test_ratings belong together; give both": bool(self.eval_ratings)
            != bool(self.test_ratings),
            "split global-time cuts one table; leave out eval_ratings and test_ratings": (
                self.split == "global-time" and bool(self.eval_ratings or self.test_ratings)
            ),
            "history_from train is about a given split; give eval_ratings and test_ratings": (
                self.history_from == "train" and not self.is_split
            ),
            "label takes the place of ratings; leave out rating, scale, like_threshold and implicit": bool(self.label)
            and (self.implicit or bool(self.rating) or self.scale is not None or self.like_threshold is not None),
            "negatives are drawn for implicit data; add implicit": self.negatives > 0 and not self.implicit,
            "scale is for ratings; leave it out of implicit data": self.implicit and self.scale is not None,
            "like_threshold needs a quantity; name its column with rating": (
                self.implicit and not self.rating and self.like_threshold is not None
            ),
            "nothing would be a No; add negatives 1, or name a quantity with rating and like_threshold": (
                self.implicit and not self.negatives and not (self.rating and self.like_threshold is not None)
            ),
        }
        for said, holds in clashes.items():
            if holds:
                raise ValueError(said)
        if self.details_noun in OWN:
            raise ValueError(
                f"details_noun cannot be {self.details_noun}, which items have beside their details; choose another "
                "word, such as genres"
            )
        said_elsewhere = {*OWN, self.item_in_items or self.item, self.title, self.year}
        said_elsewhere |= set() if self.items else {self.user, self.value_column, self.time}
        for column in [column for _, column, _ in self.details_parts if column in said_elsewhere]:
            raise ValueError(
                f"details cannot hold the column {column}, which records say elsewhere or must not tell; leave it out, "
                "name it with title or year, or rename it"
            )
        if self.scale and self.scale[0] >= self.scale[1]:
            raise ValueError(f"scale: {self.scale[0]:g} is not below {self.scale[1]:g}")
        if self.like_threshold is not None and self.scale and not self.scale[0] < self.like_threshold <= self.scale[1]:
            raise ValueError(
                f"like_threshold {self.like_threshold:g} would make all ratings or none a like; set it above "
                f"{self.scale[0]:g} and at most to {self.scale[1]:g}"
            )
        return self

    @property
    def details_parts(self) -> list[tuple[str, str, str]]:
        """The columns of details, each between the words before and after it."""
        matches = [_DETAIL.fullmatch(name) or _DETAIL.fullmatch(f"{{{name}}}") for name in self.details]
        return [(match[1], match[2], match[3]) for match in matches if match]

    @property
    def is_split(self) -> bool:
        """Whether training, evaluation and test come in a file each."""
        return bool(self.eval_ratings and self.test_ratings)

    @property
    def shows(self) -> Shows:
        """What a line of a history says of an item."""
        if self.label:
            return "label"
        if self.implicit:
            return "quantity" if self.rating else "nothing"
        return "rating"

    @property
    def value_column(self) -> str | None:
        """The column of the rating, the quantity or the label; None where lines say only that a user took an item."""
        return self.label or self.rating or (None if self.implicit else "rating")

    @property
    def done(self) -> str:
        """What users do with items, as a past participle."""
        return self.verb or {"rating": "rated", "label": "liked"}.get(self.shows, "used")

    @property
    def threshold(self) -> float:
        """The rating, or quantity, from which on a user likes an item.

        It is 1 for labels and where the user simply took the item, and 0 for a quantity of which all is a like.

        Raises:
            LikelyError: it is not said, and the scale is another than five stars.
        """
        if self.like_threshold is not None:
            return self.like_threshold
        if self.shows != "rating":
            return 0.0 if self.shows == "quantity" else 1.0
        if self.scale and self.scale[0] < LIKE_THRESHOLD and self.scale[1] == 5:
            return LIKE_THRESHOLD
        article = "an" if self.noun[0].lower() in "aeiou" else "a"
        raise LikelyError(
            f"Nothing says from which rating on a user likes {article} {self.noun}; name it with like_threshold, such "
            "as 8 on a scale from 1 to 10."
        )


def describe_table(values: Mapping[str, Any], where: str) -> TableConfig:
    """Check the keys and values of a description.

    Args:
        values: as written.
        where: file or options, for messages.

    Raises:
        LikelyError: all that is wrong with keys and values, in one sentence.
    """
    for key in values:
        if key not in TableConfig.model_fields:
            hint = did_you_mean(key, TableConfig.model_fields) or f"there are {', '.join(TableConfig.model_fields)}."
            if key in OF_PREPARE:
                hint = f"it is no matter of the table, but an option of likely prepare: --{key.replace('_', '-')}."
            raise LikelyError(f"{where}: unknown key {key!r}; {hint}")
    try:
        return TableConfig(**values)
    except ValidationError as error:
        problems = "; ".join(explain(problem, TableConfig) for problem in error.errors())
        raise LikelyError(f"{where}: {problems}.") from None


def load_table(path: Path, overrides: Mapping[str, Any]) -> TableConfig:
    """Read the YAML file of a description; overrides win over its keys, and paths are relative to the working folder.

    Raises:
        LikelyError: the file cannot be read, or as :func:`describe_table`.
    """
    return describe_table({**read_yaml(path), **overrides}, str(path))
