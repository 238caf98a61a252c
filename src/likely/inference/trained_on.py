"""Are base model and training file those that an adapter was trained on?

A folder of the same name may hold another model, and the same weights may be held otherwise. Training writes into
metrics.json what tells its base model from others, and `loaded_run` compares. The same of records: `evaluation.asked`.
"""

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from likely.errors import LikelyError
from likely.model.base import Precision
from likely.model.fingerprint import rounded_sample_of, sample_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class _Base(BaseModel):
    """Of the base model in metrics.json."""

    precision: str
    sample: str
    rounded: str | None = None


class _Metrics(BaseModel):
    """What is read here of metrics.json; earlier versions wrote nothing of the base model."""

    base: _Base | None = None
    train_data: str | None = None
    versions: dict[str, str] = {}


def check_base(folder: Path, base: "PreTrainedModel", precision: Precision) -> str | None:
    """Compare a base model with the one that the adapter in a folder was trained on.

    Args:
        folder: of the run; nothing is compared where it does not say.
        base: as it was loaded, without an adapter.
        precision: that it was loaded in.

    Returns:
        A sentence for the user where it is the same but held otherwise, or cannot be told.

    Raises:
        LikelyError: it is another one.
    """
    metrics = _metrics_of(folder)
    trained = metrics.base
    if trained is None:
        return None
    name, note = base.config.name_or_path, None
    if trained.precision == str(precision):
        is_same = trained.sample == sample_of(base)
    else:
        note = (
            f"The adapter was trained beside {trained.precision} and answers here beside {precision}, so P(Yes) "
            "differs a little from what the run was measured with."
        )
        is_same = not _can_compare(trained, precision) or trained.rounded == rounded_sample_of(base)
    if is_same:
        return note
    if metrics.versions.get("transformers") != version("transformers"):
        other = f"Another version of transformers holds the weights of {name} otherwise, so they could not be compared."
        return f"{note} {other}" if note else other
    raise LikelyError(
        f"The weights of {name} are not those that the adapter in {folder} was trained on; set model_name_or_path to "
        "its own base model, or train again."
    )


def _can_compare(trained: _Base, precision: Precision) -> bool:
    """Return whether weights that are held otherwise than in training can be told from others."""
    return trained.rounded is not None and "float16" not in (trained.precision.partition(",")[0], precision.dtype)


def precision_before(folder: Path) -> str:
    """Return the precision that the adapter in a folder was trained in, in words; float32 where it does not say."""
    trained = _metrics_of(folder).base
    return trained.precision if trained else "float32"


def training_data_before(folder: Path) -> str | None:
    """Return what `data.task.content_of` said of a run's training file when it was trained; None if nothing tells."""
    return _metrics_of(folder).train_data


def _metrics_of(folder: Path) -> _Metrics:
    """Return what metrics.json says; nothing where it cannot be read."""
    try:
        return _Metrics.model_validate_json((folder / "metrics.json").read_bytes())
    except (OSError, ValidationError):
        return _Metrics()
