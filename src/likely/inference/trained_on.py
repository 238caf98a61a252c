"""Are base model, tokenizer and training file those that an adapter was trained on?

A folder of the same name may hold another model, and the same weights may be held otherwise; a chat template may have
changed since. Training writes into metrics.json what tells its own from others, and `loaded_run` compares. The same of
records: `evaluation.asked`.
"""

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from likely.config.run_config import RunConfig
from likely.data.task import METRICS_FILE
from likely.encoding.prompt import PromptBuilder
from likely.encoding.reading import reading_of
from likely.errors import LikelyError
from likely.model.base import Precision
from likely.model.fingerprint import rounded_sample_of, sample_of, settings_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class _Base(BaseModel):
    """Of the base model in metrics.json; earlier versions wrote less."""

    precision: str
    sample: str
    rounded: str | None = None
    settings: str | None = None
    reading: str | None = None


class _Metrics(BaseModel):
    """What is read here of metrics.json; earlier versions wrote nothing of the base model."""

    base: _Base | None = None
    train_data: str | None = None
    versions: dict[str, str] = {}


def tells_base(folder: Path) -> bool:
    """Return whether a run says enough of its base model that another is told from it, whatever it is called.

    Not by weights that are in float16 here or were in training: :func:`check_base` cannot compare all of these.
    """
    metrics = _metrics_of(folder)
    if metrics.base is None or metrics.base.settings is None or metrics.base.precision.partition(",")[0] == "float16":
        return False
    return metrics.versions.get("transformers") == version("transformers")


def check_reading(folder: Path, builder: PromptBuilder) -> None:
    """Check that tokenizer and chat template read prompts as those did that the adapter in a folder was trained with.

    Args:
        folder: of the run; nothing is compared where it does not say.
        builder: of prompts, with the tokenizer as it was loaded.

    Raises:
        LikelyError: they do not.
    """
    metrics = _metrics_of(folder)
    if metrics.base is None or metrics.base.reading in (None, reading_of(builder)):
        return
    now = {name: version(name) for name in ("likely", "transformers")}
    others = " and ".join(f"{name} {was}" for name, was in metrics.versions.items() if now.get(name, was) != was)
    raise LikelyError(
        f"The tokenizer or the chat template of {builder.tokenizer.name_or_path} reads prompts otherwise than that "
        f"which the adapter in {folder} was trained with{f' by {others}' if others else ''}; set "
        "model_name_or_path or model_revision to its own base model, or train again."
    )


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
    if is_same and trained.settings in (None, settings_of(base.config)):
        return note
    if metrics.versions.get("transformers") != version("transformers"):
        other = f"Another version of transformers holds {name} otherwise, so it could not be compared with training's."
        return f"{note} {other}" if note else other
    raise LikelyError(
        f"The {'settings' if is_same else 'weights'} of {name} are not those that the adapter in {folder} was trained "
        "on; set model_name_or_path to its own base model, or train again."
    )


def check_adapter(folder: Path, before: str, now: str) -> None:
    """Check that an adapter is still the one that somebody has asked, or is about to speak of.

    Args:
        folder: of the run.
        before: what stands for the one; see :func:`likely.model.fingerprint.adapter_of`.
        now: for the other.

    Raises:
        LikelyError: a training has put another in its place.
    """
    if before != now:
        raise LikelyError(f"The adapter in {folder} was replaced by another meanwhile; give the same command again.")


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


def notes_on_date(folder: Path, config: RunConfig, builder: PromptBuilder) -> tuple[str, ...]:
    """Return what is doubtful in the answers of a run whose earlier version kept no date, in a sentence."""
    if builder.date == config.prompt_date or builder.date is None:
        return ()
    return (
        f"The chat template of {config.model_name_or_path} writes the date into a prompt, and {folder} does not say "
        f"which one it was trained with, so {builder.date} is written; set prompt_date in its config.yaml.",
    )


def _metrics_of(folder: Path) -> _Metrics:
    """Return what metrics.json says; nothing where there is none.

    Raises:
        LikelyError: it is damaged, so that another base model would go unnoticed.
    """
    path = folder / METRICS_FILE
    try:
        return _Metrics.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return _Metrics()
    except (OSError, ValidationError) as error:
        raise LikelyError(
            f"{path} is damaged or not of likely, and what the adapter was trained on cannot be compared; restore it, "
            "or remove it to do without."
        ) from error
