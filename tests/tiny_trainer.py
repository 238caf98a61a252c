"""A trainer of the tiny model, for tests of what happens around its steps."""

import torch
from transformers import TrainingArguments

from likely.encoding.batches import Budget
from likely.encoding.order import shuffled
from likely.model.adapter import Lora, add_adapter, recompute_activations
from likely.model.base import Precision, load_base
from likely.model.scoring import PassPlan
from likely.training.trainer import AnswerTrainer


def fresh_model(tiny_base, dropout=0.0, checkpointing=False, dtype="float32"):
    torch.manual_seed(0)
    base = load_base(str(tiny_base), Precision(dtype, False), "sdpa")
    lora = Lora(4, 8, dropout, ["q_proj", "v_proj", "down_proj"])
    model = add_adapter(base, lora)
    if checkpointing:
        recompute_activations(model)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    return model


def trainer_for(
    model, builder, encoded, layout, tmp_path, tokens=1500, callbacks=(), about=dict, rows=None, **arguments
):
    plan = PassPlan(layout, Budget(tokens), (builder.positive_ids[0], builder.negative_ids[0]))
    defaults = {
        "output_dir": str(tmp_path),
        "per_device_train_batch_size": 16,
        "report_to": "none",
        "use_cpu": True,
        "disable_tqdm": True,
        "logging_nan_inf_filter": False,
    }
    return AnswerTrainer(
        train_records=encoded,
        eval_records=encoded,
        order=shuffled(len(encoded), 0),
        step_plan=plan,
        eval_plan=plan,
        metrics_of=lambda answers: {"loss": float(answers.loss.mean())},
        about=about,
        rows=rows,
        model=model,
        callbacks=list(callbacks),
        args=TrainingArguments(**{**defaults, **arguments}),
    )
