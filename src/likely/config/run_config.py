"""Every knob of a run: typed, checked and explained in one line each.

Read from a YAML file or a preset and `key=value` overrides at the edges (`cli`, `training`); modules further in
take plain arguments. The familiar LLaMA-Factory spellings of the keys are understood.
"""

import datetime
import os
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

SEVEN_PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def _named(aliases: Mapping[str, Any]) -> Callable[[Any], Any]:
    """Return a reader that knows other names of a value, whatever their case."""

    def read(value: Any) -> Any:
        return aliases.get(str(value).lower(), value)

    return read


def _modules(value: Any) -> Any:
    if isinstance(value, str):
        value = [name.strip() for name in value.split(",")]
    return ("all",) if value == ["all-linear"] else value


def _spellings(value: Any) -> Any:
    """Return a mapping with text for keys, as YAML and Python may write them: true, 1."""
    if value is None or (isinstance(value, str) and value.lower() in NOTHING):
        return {}
    if not isinstance(value, Mapping):
        return value
    spelled = {str(key).lower(): label for key, label in value.items()}
    if any(spelled[str(key).lower()] != label for key, label in value.items()):
        raise ValueError("it gives two labels to one answer: capital and small letters do not matter")
    return spelled


def _reporters(value: Any) -> Any:
    if isinstance(value, str):
        value = [name.strip() for name in value.split(",")]
    names = [str(name).lower() for name in value or ["none"]]
    return () if names == ["none"] else tuple(dict.fromkeys(names))


def without_nul(value: Any) -> Any:
    """Return a value, unless it is text, or holds some, that no path or name can be."""
    texts = [value] if isinstance(value, str) else value if isinstance(value, tuple) else ()
    if any(isinstance(text, str) and "\0" in text for text in texts):
        raise ValueError("no path or name has a NUL in it")
    return value


NOTHING = dict.fromkeys(("none", "null", "~", ""), None)
FLASH_NAMES = {
    "fa2": "flash_attention_2",
    "fa3": "flash_attention_3",
    "fa4": "flash_attention_4",
    "flex": "flex_attention",
}
FLASH_NAMES |= dict.fromkeys(("false", "disabled", "off", "no"), "false")

NoneWord = BeforeValidator(_named(NOTHING))
TextOrNone = Annotated[str | None, NoneWord]
CountOrNone = Annotated[int | None, NoneWord]
DayOrNone = Annotated[datetime.date | None, NoneWord]
FlashAttention = Literal[
    "auto", "flash_attention_2", "flash_attention_3", "flash_attention_4", "flex_attention", "sdpa", "eager", "false"
]
Compiling = Annotated[Literal["auto", "true", "false"], BeforeValidator(_named({"true": "true", "false": "false"}))]
Schedule = Literal[
    "cosine", "linear", "constant", "constant_with_warmup", "cosine_with_restarts", "polynomial", "inverse_sqrt"
]
Reporter = Literal["tensorboard", "wandb", "mlflow", "trackio"]
Metric = Literal["eval_auc", "eval_loss", "eval_accuracy", "eval_f1", "eval_log_loss", "eval_ece"]

LARGEST = 2**32 - 1
"""Of any whole number here: what numpy takes for a seed, and more than any of the others can need."""

POLYNOMIAL_END = 1e-7
"""The learning rate at which transformers' polynomial schedule ends."""

SECTIONS = {
    "model_name_or_path": "model",
    "dataset_dir": "data",
    "output_dir": "output",
    "per_device_train_batch_size": "optimisation: a step sees batch size x accumulation steps records a device",
    "eval_strategy": "evaluation",
    "lora_rank": "adapter",
}
"""Headings of groups of keys, each before its first key."""


def is_plain_name(name: str) -> bool:
    """Return whether a name stands for a file or folder right where it is put, on any system."""
    return name not in (".", "..") and not re.search(r"[/\\\x00-\x1f]", name)


class RunConfig(BaseModel):
    """Every key of a run; the description is what YAML files say beside it."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)

    model_name_or_path: str = Field(
        min_length=1, description="hub name, local folder, or a name likely knows (smollm2-135m)"
    )
    model_revision: TextOrNone = Field(None, description="branch, tag or commit on the hub")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="auto: 16 bits on CUDA, on a CPU what is fast there; or float32, bfloat16, float16"
    )
    quantization_bit: Annotated[Literal[4] | None, BeforeValidator(_named({**NOTHING, "4": 4}))] = Field(
        None, description="4: QLoRA on CUDA (nf4, double quantisation), plain LoRA elsewhere; none: LoRA"
    )
    four_bit_on_cpu: bool = Field(
        False, description="quantization_bit: 4 without CUDA too, to try QLoRA's path; slow, and needs a dtype"
    )
    flash_attn: Annotated[FlashAttention, BeforeValidator(_named(FLASH_NAMES))] = Field(
        "auto",
        description="auto, flash_attention_2 (fa2), flash_attention_3, flash_attention_4, flex_attention, sdpa, "
        "eager, false",
    )

    dataset_dir: str = Field("finetune/data", description="folder with dataset_info.json")
    dataset: TextOrNone = Field(
        "movielens_qwen3", description="entry in dataset_info.json, or a folder beside it that likely prepare wrote"
    )
    train_file: TextOrNone = Field(None, description="training records; a file here wins over dataset")
    eval_file: TextOrNone = Field(None, description="evaluation records, likewise")
    test_file: TextOrNone = Field(None, description="test records, likewise")
    cutoff_len: int = Field(1024, ge=16, description="most tokens of a prompt; longer ones lose old history lines")
    max_samples: CountOrNone = Field(None, ge=1, description="most training records, of histories chosen at random")
    max_eval_samples: CountOrNone = Field(1000, ge=1, description="most evaluation records, of whole users")
    positive_label: str = Field("Yes", min_length=1, description="the answer that means a like")
    negative_label: str = Field("No", min_length=1, description="the answer that means no like")
    label_map: Annotated[Mapping[str, str], BeforeValidator(_spellings)] = Field(
        default_factory=dict, description='other answers in files, and what they mean: {"1": Yes, "0": No}'
    )
    prompt_date: DayOrNone = Field(
        None, description="the date that a chat template writes; by default the run's first day"
    )
    batching: Literal["tree", "packed", "padded"] = Field(
        "tree", description="tree: shared history computed once; packed; padded"
    )
    group_size: int = Field(
        4, ge=1, description="most records of a history kept together in the shuffle; 1: plain shuffle"
    )

    output_dir: str = Field(min_length=1, description="adapter, tokenizer, config.yaml, metrics.json, logs")
    overwrite_output_dir: bool = Field(False, description="start anew where another run has been")
    run_name: TextOrNone = Field(None, description="folder under output_dir/logs; by default the date and time")
    report_to: Annotated[tuple[Reporter, ...], BeforeValidator(_reporters)] = Field(
        ("tensorboard",), description="tensorboard, wandb, mlflow, trackio, several of them, or none"
    )
    logging_steps: int = Field(10, ge=1, description="optimizer steps between log entries")

    per_device_train_batch_size: int = Field(2, ge=1, description="times cutoff_len: tokens of a pass, see pass_tokens")
    gradient_accumulation_steps: int = Field(8, ge=1, description="times the batch size: records of an optimizer step")
    per_device_eval_batch_size: int = Field(16, ge=1, description="times cutoff_len: token budget in evaluation")
    num_train_epochs: float = Field(3.0, gt=0, le=1e6, description="passes over the training records")
    max_steps: int = Field(-1, ge=-1, description="optimizer steps; wins over epochs if not -1")
    max_minutes: Annotated[float | None, NoneWord] = Field(
        None, gt=0, description="end training after so long; the learning rate comes down by then"
    )
    learning_rate: float = Field(1.5e-4, gt=0, description="peak learning rate")
    weight_decay: float = Field(0.0, ge=0, description="of AdamW")
    adam_beta1: float = Field(0.9, ge=0, lt=1, description="of AdamW")
    adam_beta2: float = Field(0.999, ge=0, lt=1, description="of AdamW")
    adam_epsilon: float = Field(1e-8, gt=0, description="of AdamW")
    max_grad_norm: float = Field(1.0, ge=0, description="gradients are clipped to this norm; 0 for never")
    warmup_ratio: float = Field(0.03, ge=0, le=1, description="share of the steps in which the rate rises")
    lr_scheduler_type: Schedule = Field("cosine", description="cosine, linear, constant, ...")
    pass_tokens: CountOrNone = Field(
        None, ge=1, description="tokens of a training pass; none: batch size x cutoff_len, on CUDA more if memory holds"
    )
    torch_compile: Compiling = Field(
        "false", description="compile each layer, in the first minutes: true, false or auto (on CUDA with Triton)"
    )
    gradient_checkpointing: bool = Field(False, description="true when memory runs out: a third more time")

    eval_strategy: Literal["steps", "epoch", "no"] = Field("steps", description="steps, epoch or no")
    eval_steps: int = Field(2000, ge=1, description="optimizer steps between evaluations")
    save_steps: int = Field(
        2000, ge=1, description="steps between checkpoints, by default eval_steps; an epoch if eval_strategy is epoch"
    )
    save_total_limit: int = Field(2, ge=1, description="checkpoints kept, the best among them")
    early_stopping_patience: CountOrNone = Field(
        3, ge=1, description="stop after so many evaluations without a better one; none: never"
    )
    metric_for_best_model: Metric = Field(
        "eval_auc", description="eval_auc, eval_loss, eval_accuracy, eval_f1, eval_log_loss, eval_ece"
    )

    lora_rank: int = Field(16, ge=1, le=8192, description="rank of the adapter's matrices")
    lora_alpha: int = Field(64, ge=1, description="the adapter is scaled by alpha / rank")
    lora_dropout: float = Field(0.05, ge=0, lt=1, description="dropout before the adapter")
    lora_target: Annotated[tuple[str, ...], BeforeValidator(_modules)] = Field(
        SEVEN_PROJECTIONS, min_length=1, description="linear modules that get an adapter; all: all but the head"
    )
    lora_layers: CountOrNone = Field(
        None, ge=1, description="layers that get an adapter, next to the output, which is faster; none: all layers"
    )
    seed: int = Field(42, ge=0, le=LARGEST, description="of weights, order and dropout")

    @model_validator(mode="before")
    @classmethod
    def _follow_eval_steps(cls, values: dict[str, Any]) -> dict[str, Any]:
        if "save_steps" not in values and "eval_steps" in values:
            values = {**values, "save_steps": values["eval_steps"]}
        return values

    @field_validator("*")
    @classmethod
    def _can_be_used(cls, value: Any) -> Any:
        if isinstance(value, int) and value > LARGEST:
            raise ValueError(f"more than {LARGEST}")
        return without_nul(value)

    @field_validator("model_name_or_path", "dataset_dir", "train_file", "eval_file", "test_file", "output_dir")
    @classmethod
    def _at_home(cls, path: str | None) -> str | None:
        """Return a path with ~ written out, as transformers does by itself in some places and not in others."""
        return os.path.expanduser(path) if path else path

    @model_validator(mode="after")
    def _agree(self) -> "RunConfig":
        if self.positive_label == self.negative_label:
            raise ValueError("positive_label and negative_label are the same")
        for answer, label in self.label_map.items():
            if label not in (self.positive_label, self.negative_label):
                raise ValueError(
                    f"label_map: {answer} means {label}, which is neither {self.positive_label} nor "
                    f"{self.negative_label}"
                )
        if self.run_name is not None and not is_plain_name(self.run_name):
            raise ValueError(
                f"run_name {self.run_name!r} is no plain name; write one without slashes, for a folder under "
                "output_dir/logs"
            )
        if self.four_bit_on_cpu and self.dtype == "auto":
            raise ValueError("four_bit_on_cpu needs a dtype; set dtype to float32 or bfloat16")
        if self.max_steps == 0:
            raise ValueError("max_steps 0 would train nothing; set it to 1 or more, or to -1 for num_train_epochs")
        if self.lr_scheduler_type == "polynomial" and self.learning_rate <= POLYNOMIAL_END:
            raise ValueError(
                f"learning_rate {self.learning_rate:g} is not above {POLYNOMIAL_END:g}, where lr_scheduler_type "
                "polynomial ends; raise it, or set another schedule"
            )
        if not self.dataset and not self.train_file:
            raise ValueError("neither dataset nor train_file is set")
        return self

    @property
    def step_size(self) -> int:
        """Records of an optimizer step on one device."""
        return self.per_device_train_batch_size * self.gradient_accumulation_steps

    @property
    def tokens_asked(self) -> int:
        """Tokens of a forward pass in training, which a GPU with room for more exceeds unless `pass_tokens` is set."""
        return self.pass_tokens or self.per_device_train_batch_size * self.cutoff_len

    @property
    def evaluation_tokens(self) -> int:
        """Tokens of a forward pass in evaluation and scoring."""
        return self.per_device_eval_batch_size * self.cutoff_len

    @property
    def most_tokens(self) -> int:
        """Tokens of the widest forward pass that is asked for."""
        return max(self.tokens_asked, self.evaluation_tokens)

    @property
    def greater_is_better(self) -> bool:
        """Whether a larger value of `metric_for_best_model` is the better one."""
        return self.metric_for_best_model in ("eval_auc", "eval_accuracy", "eval_f1")
