"""What the records of a run ask, kept in its folder, so that nobody has to say it again.

`preparation` writes it beside the records that it makes, `training` copies it into the folder of a run trained on them,
and `inference.ranking` asks about new candidates in the same words. Records of a user's own ask what they like.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from likely.data.dataset_info import Columns
from likely.data.protocol import SplitProtocol
from likely.data.records import Labels
from likely.data.wording import MOVIES, Words, make_instruction
from likely.errors import LikelyError

CONFIG_FILE, METRICS_FILE = "config.yaml", "metrics.json"
TASK_FILE, PREPARATION_FILE = "task.json", "preparation.json"

BLEND_FILE = "blend.json"
BLEND_FILES = (BLEND_FILE, "blend_items.parquet", "blend_likeness.parquet", "blend_trees.parquet")
"""What a run's answer is made of, see `evaluation.blend`; of no other adapter than the one it was fitted with."""

UNUSUAL = {"short_hints": False, "candidate_line": False, "split": "time", "history_from": "all", "negatives": 0}
"""Keys of a protocol that files have only where they say something else."""


@dataclass(frozen=True, kw_only=True)
class RatingsTask:
    """Will a user, after a history of ratings, like a candidate?

    Attributes:
        kind: tells this task from others in a file.
        instruction: the question that stands in every record.
        labels: the two answers as the records have them; a run's configuration may spell them otherwise.
        noun: what is rated, as in "movie".
        dataset: name of the ratings, empty where unknown.
        protocol: how a timeline of ratings became records: threshold of a like, hints, window and its length.
        words: how the noun and its details are spoken of, and the scale.
    """

    kind: Literal["ratings"] = "ratings"
    instruction: str
    labels: Labels
    noun: str
    protocol: SplitProtocol
    dataset: str = ""
    words: Words = MOVIES


@dataclass(frozen=True, kw_only=True)
class RecordsTask:
    """Whatever records of a user's own ask; nothing is known of how they were made.

    Attributes:
        kind: tells this task from others in a file.
        columns: what the training file calls its columns.
    """

    kind: Literal["records"] = "records"
    columns: Columns = field(default_factory=Columns)


Task = RatingsTask | RecordsTask


@dataclass(frozen=True)
class _Preparation:
    """What preparation.json says of its records; earlier versions wrote nothing but the protocol."""

    protocol: SplitProtocol
    instruction: str | None = None
    labels: Labels = field(default_factory=Labels)
    noun: str = "movie"
    dataset: str = ""
    words: Words = MOVIES
    sha256: Mapping[str, str] = field(default_factory=dict)

    def task(self) -> RatingsTask:
        instruction = self.instruction or make_instruction(self.protocol.like_threshold, self.words)
        return RatingsTask(
            instruction=instruction,
            labels=self.labels,
            noun=self.noun,
            protocol=self.protocol,
            dataset=self.dataset,
            words=self.words,
        )


_TASK: TypeAdapter[Task] = TypeAdapter(Annotated[Task, Field(discriminator="kind")])
_PREPARATION = TypeAdapter(_Preparation)


def ratings_task(protocol: SplitProtocol, dataset: str = "", words: Words = MOVIES) -> RatingsTask:
    """Return what :func:`likely.data.preparation.prepare` asks."""
    return _Preparation(protocol, noun=words.noun, dataset=dataset, words=words).task()


def task_of(training_file: Path, columns: Columns | None = None) -> Task:
    """Return what the records of a file ask: what preparation.json beside it says, if that describes this very file.

    A file that was changed after it was prepared, or whose description is missing or damaged, is a user's own.

    Args:
        training_file: the file.
        columns: what it calls its columns; Alpaca's own by default.

    Raises:
        OSError: the file itself cannot be read.
    """
    own = RecordsTask(columns=columns or Columns())
    try:
        prepared = _prepared_in(training_file.parent)
    except (OSError, ValueError, LikelyError):
        return own
    return prepared.task() if digest_of(training_file) in prepared.sha256.values() else own


def is_changed(path: Path) -> bool:
    """Return whether preparation.json beside a file speaks of one of its name with another content."""
    try:
        said = _prepared_in(path.parent).sha256.get(path.name)
    except (OSError, ValueError, LikelyError):
        return False
    return said is not None and said != digest_of(path)


def prepared_files(folder: Path) -> set[str]:
    """Return the names of the files in a folder that are as its preparation.json describes them."""
    try:
        prepared = _prepared_in(folder)
    except (OSError, ValueError, LikelyError):
        return set()
    there = {name: folder / name for name in prepared.sha256 if Path(name).name == name}
    return {name for name, path in there.items() if path.is_file() and digest_of(path) == prepared.sha256[name]}


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_of(path: Path, columns: Columns) -> str:
    """Return what stands for a file of records: a hash of its bytes and of how they are read.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(repr(columns).encode())
    if columns.label_map:  # which a repr leaves out
        digest.update(repr(sorted(columns.label_map.items())).encode())
    return digest.hexdigest()[:16]


def differences(trained: Task, now: Task) -> list[str]:
    """Return what prepared records ask otherwise than others, whatever data set they are of; nothing of other records.

    >>> from likely.data.protocol import SplitProtocol
    >>> differences(ratings_task(SplitProtocol()), ratings_task(SplitProtocol(like_threshold=3.5)))
    ['like_threshold 4.0 -> 3.5']
    """
    if not isinstance(trained, RatingsTask) or not isinstance(now, RatingsTask):
        return []
    (old, was), (new, becomes) = ((asdict(task), asdict(task.protocol)) for task in (trained, now))
    changed = [f"{key} {was[key]} -> {becomes[key]}" for key in was if was[key] != becomes[key]]
    return changed or [key for key in ("instruction", "labels", "words") if old[key] != new[key]]


def plain(task: Task) -> dict[str, Any]:
    """Return what files say of a task; the words of movies and the usual are left out."""
    values = asdict(task)
    if isinstance(task, RatingsTask):
        if task.words == MOVIES:
            del values["words"]
        for key, usual in UNUSUAL.items():
            if values["protocol"][key] == usual:
                del values["protocol"][key]
    return values


def dump_task(task: Task) -> str:
    """Return the text of a run's task.json; :func:`read_task` reads it back equal."""
    return json.dumps(plain(task), indent=2, ensure_ascii=False) + "\n"


def read_task(folder: Path) -> Task:
    """Read what the records of a run asked, from its task.json, or where that is missing from its preparation.json.

    Earlier versions left neither; a preparation.json that is copied there says the same.

    Raises:
        LikelyError: neither file is there, or it is damaged.
    """
    kept, copied = folder / TASK_FILE, folder / PREPARATION_FILE
    try:
        return _TASK.validate_json(kept.read_bytes()) if kept.exists() else _prepared_in(folder).task()
    except FileNotFoundError:
        raise LikelyError(
            f"{folder} has no {TASK_FILE}, so it does not say what its records ask (an earlier version of likely left "
            f"none); copy {PREPARATION_FILE} from beside the run's training file into it."
        ) from None
    except (OSError, ValueError, LikelyError) as error:
        raise LikelyError(
            f"{kept if kept.exists() else copied} is damaged or of another version of likely; put {PREPARATION_FILE} "
            "from beside the run's training file in its place, or train again."
        ) from error


def columns_of(folder: Path) -> Columns:
    """Return what files for a run call their columns: what its training file calls them, or Alpaca's own.

    Raises:
        LikelyError: the run's task.json is damaged.
    """
    task = read_task(folder) if (folder / TASK_FILE).exists() else None
    return task.columns if isinstance(task, RecordsTask) else Columns()


def _prepared_in(folder: Path) -> _Preparation:
    return _PREPARATION.validate_json((folder / PREPARATION_FILE).read_bytes())
