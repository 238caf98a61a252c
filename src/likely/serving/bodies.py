"""What requests and answers look like; FastAPI checks requests against it and writes the OpenAPI page from it.

Items keep the form of `history.json` and `candidates.json`, whose reader (`inference.movies`) says what is wrong with
one; `data.records` reads records. `/v1/score` has the fields of SGLang's scoring API (its pull requests 6460, 10979 and
22544).
"""

import math
import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from likely.config.table_config import Shows

HISTORY = [
    {"title": "Heat", "year": 1995, "genres": ["Action", "Crime"], "rating": 4.5},
    {"title": "Babe", "year": 1995, "genres": ["Children"], "rating": 2},
]
CANDIDATES = [{"title": "Ronin", "year": 1998, "genres": ["Action", "Crime"]}, {"title": "Antz", "year": 1998}]


DEEPEST = 100
"""How deep a value may be nested; Python reads about 1,000 levels, and an answer is written with at most 255."""


def sound(value: Any, levels: int = DEEPEST) -> Any:
    """Return JSON without what no text and no number is: half surrogate pairs become U+FFFD, NaN and infinity null.

    Raises:
        ValueError: it is nested in more levels than it may be.
    """
    if levels < 0:
        raise ValueError(f"nested in more than {DEEPEST} levels")
    if isinstance(value, str):
        return re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {sound(key): sound(item, levels - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [sound(item, levels - 1) for item in value]
    return value


class Body(BaseModel):
    """A request; a key that it does not know is refused, for it would have no effect."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _sound(cls, value: Any) -> Any:
        return sound(value)


class RankBody(Body):
    """A history and what to rank for it."""

    history: list[dict[str, Any]] = Field(
        description="Items, oldest first: title and rating, and where known year and details. /v1/run says what a "
        "rating is (shows), and names the key of the details: genres where movies are rated.",
        examples=[HISTORY],
    )
    candidates: list[dict[str, Any]] | Literal["catalogue"] = Field(
        description="Items with a title, and year and details where known; other keys come out again. Or the word "
        "catalogue: all that the run knows and the history has not.",
        examples=[CANDIDATES, "catalogue"],
    )
    most_rated: int | None = Field(None, ge=1, description="Of the catalogue, only so many of the most rated.")
    top: int | None = Field(10, ge=1, description="Answer with the best so many; null for all.")
    base: bool = Field(True, description="Say what the base model thinks of these, too.")


class Cost(BaseModel):
    """What an answer took."""

    tokens_alone: int = Field(description="Of all questions, each computed alone.")
    tokens: int = Field(description="Computed. A shared beginning counts once.")
    tokens_saved: int = Field(description="The difference.")
    together: int = Field(description="The most requests that were computed in one turn with this one.")
    milliseconds: float = Field(description="From the arrival of the request to the answer, waiting included.")


class RankAnswer(BaseModel):
    """Candidates, best first."""

    ranked: list[dict[str, Any]] = Field(
        description="rank (from 1), p_yes, base_p_yes, title, year, details, and what else came with the candidate. "
        "Where the run keeps an answer of adapter and counting together, candidates stand in its order, and beside "
        "p_yes, which is the adapter's, stand answer, and counting, which is counting's alone."
    )
    candidates: int = Field(description="How many were ranked.")
    cost: Cost


class PredictRecord(Body):
    """A record in Alpaca's form, whatever form the run's files have; other keys, such as output, are not read.

    `cut_at_anchors` says how a prompt that is too long is shortened, in rows of long windows.
    """

    model_config = ConfigDict(extra="allow")
    instruction: str = Field(examples=["Will this user like the candidate?"])
    input: str | None = ""
    system: str | None = ""
    history: list[tuple[str, str]] | None = Field(None, description="Earlier turns: question and answer.")
    cut_at_anchors: bool | None = Field(None, description="As likely prepare writes it for long windows.")


class PredictBody(Body):
    """Records to answer."""

    records: list[PredictRecord]
    base: bool = Field(False, description="Ask the base model, too.")


class PredictAnswer(BaseModel):
    """P(Yes) of every record, in their order."""

    p_yes: list[float]
    base_p_yes: list[float] | None
    cost: Cost


class ScoreBody(Body):
    """A query and items, as SGLang takes them."""

    query: str | list[int] = Field(description="Text or token ids, which every item goes on from.")
    items: str | list[str] | list[list[int]] = Field(description="Texts or token ids, of the same kind as the query.")
    label_token_ids: list[int] = Field(min_length=1, max_length=1000, description="Tokens whose probability to give.")
    apply_softmax: bool = Field(False, description="Of these tokens alone; false: in the whole vocabulary.")
    temperature: float = Field(1.0, gt=0, description="Divides the logits before a softmax; else not read.")
    item_first: bool = Field(False, description="Put each item before the query; nothing is shared then.")
    model: str = Field("default", description="Given back as it is.")
    return_pooled_hidden_states: Literal[False] = False
    return_token_logprobs: Literal[False] = False
    rid: str | None = Field(None, description="Not read.")
    priority: int | None = Field(None, description="Not read.")
    user: str | None = Field(None, description="Not read.")


class Usage(BaseModel):
    """Tokens, counted as SGLang counts them."""

    prompt_tokens: int
    total_tokens: int
    completion_tokens: int = 0
    prompt_tokens_details: None = None
    reasoning_tokens: int = 0


class ScoreAnswer(BaseModel):
    """Scores of every item, in the order of `label_token_ids`."""

    scores: list[list[float]]
    model: str
    usage: Usage
    object: Literal["scoring"] = "scoring"


class CatalogueAnswer(BaseModel):
    """Rows of the catalogue, to be sent as candidates or, with a rating, as history."""

    found: list[dict[str, Any]]


class HeldOutAnswer(BaseModel):
    """A user of the run's test rows."""

    user: str
    history: list[dict[str, Any]]
    candidates: list[dict[str, Any]]
    liked: list[bool] = Field(description="Whether the user liked each candidate.")


class RunAnswer(BaseModel):
    """What is served."""

    name: str
    model: str
    noun: str = Field(description="What is rated, in the singular, such as movie.")
    plural: str
    details: str = Field(description="Key of what an item has besides title and year, such as genres.")
    shows: Shows = Field(
        description="What a history needs of each item in rating: a rating on the scale, a quantity of 0 or more, a "
        "label of 1 or 0, or nothing."
    )
    verb: str = Field(description="What users did with the items, as a past participle, such as rated or played.")
    unit: str = Field(description="Of a quantity, such as hours; may be empty.")
    next: bool = Field(description="Whether Yes means that an item is the next one, and not that it is liked.")
    scale: tuple[float, float] = Field(description="Lowest and highest rating; of quantities, no limit.")
    can_rank: bool
    like_threshold: float | None
    catalogue: int | None = Field(description="Items in it; null where the run has none.")
    held_out: bool = Field(description="Whether the run's test rows are at hand, in JSON.")
    most_candidates: int
    labels: list[str]
    label_token_ids: list[int] = Field(description="Of the labels, for /v1/score.")


class Problem(BaseModel):
    """What is wrong, and what to do."""

    detail: str
