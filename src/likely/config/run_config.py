"""Every knob of a run: typed, checked and explained in one line each.

Read from a YAML file and `key=value` overrides at the edges (`cli`, `training`); modules further in
take plain arguments. The familiar LLaMA-Factory spellings of the keys are understood.
"""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

SEVEN_PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d+")


def _number(value: Any) -> Any:
    """Read `1e-4`, which YAML 1.1 takes for text, as the number it is; leave all else to pydantic."""
    return float(value) if isinstance(value, str) and NUMBER.fullmatch(value) else value


def _named(aliases: Mapping[str, Any]) -> Callable[[Any], Any]:
    """Return a reader that knows other names of a value, whatever their case."""

    def read(value: Any) -> Any:
        return aliases.get(str(value).lower(), value)

    return read


def _modules(value: Any) -> Any:
    if isinstance(value, str):
        value = [name.strip() for name in value.split(",")]
    return ("all",) if value == ["all-linear"] else value


NOTHING = {"none": None, "null": None, "": None}
YAML_NO = {"false": "no"}  # an unquoted no is false to YAML 1.1
FLASH_NAMES = {
    "fa2": "flash_attention_2",
    "fa3": "flash_attention_3",
    "fa4": "flash_attention_4",
    "flex": "flex_attention",
}
FLASH_NAMES |= dict.fromkeys(("false", "disabled", "off", "no"), "false")

Real = Annotated[float, BeforeValidator(_number)]
Optional = BeforeValidator(_named(NOTHING))
FlashAttention = Literal[
    "auto", "flash_attention_2", "flash_attention_3", "flash_attention_4", "flex_attention", "sdpa", "eager", "false"
]
Schedule = Literal[
    "cosine", "linear", "constant", "constant_with_warmup", "cosine_with_restarts", "polynomial", "inverse_sqrt"
]
Metric = Literal["eval_auc", "eval_loss", "eval_accuracy", "eval_f1", "eval_log_loss", "eval_ece"]


class RunConfig(BaseModel):
    """Every key of a run's YAML file."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    model_name_or_path: str = Field(min_length=1, description="hub name, local folder, or a name `likely` knows")
    model_revision: Annotated[str | None, Optional] = Field(None, description="branch, tag or commit on the hub")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field("auto", description="arithmetic of the model")
    quantization_bit: Annotated[Literal[4] | None, Optional] = Field(None, description="4 for QLoRA on CUDA")
    flash_attn: Annotated[FlashAttention, BeforeValidator(_named(FLASH_NAMES))] = Field(
        "auto", description="attention implementation"
    )

    dataset_dir: str = Field("finetune/data", description="folder with dataset_info.json")
    dataset: Annotated[str | None, Optional] = Field("movielens_qwen3", description="name in dataset_info.json")
    train_file: Annotated[str | None, Optional] = Field(None, description="training records; wins over dataset")
    eval_file: Annotated[str | None, Optional] = Field(None, description="evaluation records; wins over dataset")
    test_file: Annotated[str | None, Optional] = Field(None, description="test records; wins over dataset")
    cutoff_len: int = Field(1024, ge=16, description="most tokens of a prompt with its answer")
    max_samples: Annotated[int | None, Optional] = Field(None, ge=1, description="most training records")
    max_eval_samples: Annotated[int | None, Optional] = Field(1000, ge=1, description="most evaluation records")
    positive_label: str = Field("Yes", min_length=1, description="the answer that means a like")
    negative_label: str = Field("No", min_length=1, description="the answer that means no like")
    batching: Literal["tree", "packed", "padded"] = Field("tree", description="layout of a forward pass")

    group_size: int = Field(4, ge=1, description="most records of one history that stay together in the shuffle")

    output_dir: str = Field(min_length=1, description="where adapter, tokenizer and logs go")
    overwrite_output_dir: bool = Field(False, description="start anew where another run has been")
    run_name: Annotated[str | None, Optional] = Field(None, description="folder of this run under output_dir/logs")
    logging_steps: int = Field(10, ge=1, description="optimizer steps between log entries")

    per_device_train_batch_size: int = Field(2, ge=1, description="with cutoff_len: token budget of a forward pass")
    gradient_accumulation_steps: int = Field(8, ge=1, description="times the batch size: records of a step")
    per_device_eval_batch_size: int = Field(16, ge=1, description="the same budget for evaluation")
    num_train_epochs: Real = Field(3.0, gt=0, description="passes over the training records")
    max_steps: int = Field(-1, ge=-1, description="optimizer steps, if not -1; wins over epochs")
    max_minutes: Annotated[Real | None, Optional] = Field(None, gt=0, description="end training after so long")
    learning_rate: Real = Field(1.5e-4, gt=0, description="peak learning rate")
    weight_decay: Real = Field(0.0, ge=0, description="of AdamW")
    adam_beta1: Real = Field(0.9, ge=0, lt=1, description="of AdamW")
    adam_beta2: Real = Field(0.999, ge=0, lt=1, description="of AdamW")
    adam_epsilon: Real = Field(1e-8, gt=0, description="of AdamW")
    max_grad_norm: Real = Field(1.0, ge=0, description="gradients are clipped to this norm; 0 for never")
    warmup_ratio: Real = Field(0.03, ge=0, le=1, description="share of the steps in which the rate rises")
    lr_scheduler_type: Schedule = Field("cosine", description="how the rate falls")
    gradient_checkpointing: bool = Field(False, description="recompute activations: less memory, more time")

    eval_strategy: Annotated[Literal["steps", "epoch", "no"], BeforeValidator(_named(YAML_NO))] = Field(
        "steps", description="when to evaluate and save"
    )
    eval_steps: int = Field(2000, ge=1, description="optimizer steps between evaluations")
    save_steps: int = Field(2000, ge=1, description="optimizer steps between checkpoints")
    save_total_limit: int = Field(2, ge=1, description="checkpoints kept, the best among them")
    early_stopping_patience: Annotated[int | None, Optional] = Field(
        3, ge=1, description="stop after so many evaluations without a better one"
    )
    metric_for_best_model: Metric = Field("eval_auc", description="what a better evaluation is")

    lora_rank: int = Field(16, ge=1, description="rank of the adapter's matrices")
    lora_alpha: int = Field(64, ge=1, description="the adapter is scaled by alpha / rank")
    lora_dropout: Real = Field(0.05, ge=0, lt=1, description="dropout before the adapter")
    lora_target: Annotated[tuple[str, ...], BeforeValidator(_modules)] = Field(
        SEVEN_PROJECTIONS, min_length=1, description="linear modules that get an adapter; all: all but the head"
    )
    seed: int = Field(42, ge=0, description="of weights, order and dropout")

    @model_validator(mode="before")
    @classmethod
    def _follow_eval_steps(cls, values: dict[str, Any]) -> dict[str, Any]:
        if "save_steps" not in values and "eval_steps" in values:
            values = {**values, "save_steps": values["eval_steps"]}
        return values

    @model_validator(mode="after")
    def _agree(self) -> "RunConfig":
        if self.positive_label == self.negative_label:
            raise ValueError("positive_label and negative_label are the same")
        if self.eval_strategy == "steps" and self.save_steps % self.eval_steps:
            raise ValueError(
                f"save_steps {self.save_steps} is not a multiple of eval_steps {self.eval_steps}, "
                "so the best checkpoint could not be kept"
            )
        if not self.dataset and not self.train_file:
            raise ValueError("neither dataset nor train_file is set")
        return self

    @property
    def step_size(self) -> int:
        """Records of an optimizer step on one device."""
        return self.per_device_train_batch_size * self.gradient_accumulation_steps

    @property
    def greater_is_better(self) -> bool:
        """Whether a larger value of `metric_for_best_model` is the better one."""
        return self.metric_for_best_model in ("eval_auc", "eval_accuracy", "eval_f1")
