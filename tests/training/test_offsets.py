"""A model that is trained with offsets learns what is left to say, whatever the layout of a step."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from likely.config.run_config import RunConfig
from likely.data.records import Labels, write_records
from likely.encoding.prompt import PromptBuilder
from likely.errors import LikelyError
from likely.evaluation.metrics import answer_metrics
from likely.training.offsets import Offsets
from likely.training.run import train
from support import rows_of
from tiny_trainer import fresh_model, trainer_for


@pytest.fixture(scope="module")
def seven(builder, records):
    """Return a builder and seven records for labels of one token, and for labels of several."""

    def encoded(labels):
        own = PromptBuilder(builder.tokenizer, labels, 512)
        renamed = [replace(r, output=labels.positive if r.output == "Yes" else labels.negative) for r in records[:7]]
        return own, own.encode_all(renamed)

    return {labels: encoded(labels) for labels in (Labels(), Labels("Liked it", "Hated it"))}


def one_by_one(model, builder, encoded, offsets):
    """The plain way: each record alone, two logits where its answer begins, torch's own two-way loss."""
    yes, no = builder.first_tokens
    total = 0.0
    for record, offset in zip(encoded, offsets, strict=True):
        logits = model(input_ids=torch.from_numpy(record.input_ids).long()[None]).logits[0, record.answer_positions[0]]
        said = logits[yes] - logits[no] + float(offset)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(said, torch.tensor(float(record.liked)))
        (loss / len(encoded)).backward()
        total += loss.item() / len(encoded)
    return total, gradients_of(model)


def gradients_of(model):
    return torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.requires_grad])


@pytest.mark.parametrize("layout", ["tree", "packed", "padded"])
@pytest.mark.parametrize("labels", [Labels(), Labels("Liked it", "Hated it")])
@pytest.mark.parametrize("scale", [0, 2])
def test_a_step_is_the_two_way_loss_of_its_records_alone(tiny_base, seven, tmp_path, layout, labels, scale):
    builder, encoded = seven[labels]
    offsets = (scale * np.random.default_rng(0).standard_normal(7)).astype(np.float32)
    expected_loss, expected = one_by_one(fresh_model(tiny_base), builder, encoded, offsets)
    model = fresh_model(tiny_base)
    trainer = trainer_for(model, builder, encoded, layout, tmp_path, tokens=500, offsets=Offsets(offsets, offsets))
    order = [3, 0, 6, 2, 5, 1, 4]
    loss = trainer.training_step(model, trainer.lay_out_step(order))
    assert loss.item() == pytest.approx(expected_loss, rel=1e-5)
    assert (gradients_of(model) - expected).norm() / expected.norm() < 1e-4


def test_what_is_known_already_is_not_learnt_and_evaluations_are_of_the_sum(tiny_base, records, tmp_path):
    """Of some of the records, each with its own offset; the eval records are others of them."""
    known = np.array([20.0 if record.output == "Yes" else -20.0 for record in records], np.float32)
    write_records(tmp_path / "train.json", rows_of(records))
    write_records(tmp_path / "eval.json", rows_of(records)[::-1])
    config = RunConfig(
        model_name_or_path=str(tiny_base),
        dataset=None,
        train_file=str(tmp_path / "train.json"),
        eval_file=str(tmp_path / "eval.json"),
        max_samples=25,
        output_dir=str(tmp_path / "run"),
        cutoff_len=512,
        max_steps=2,
        eval_steps=1,
        logging_steps=1,
    )
    run = train(config, answer_metrics, offsets=Offsets(known, known[::-1].copy()))
    assert max(entry["loss"] for entry in run.log if "loss" in entry) < 1e-4
    assert run.metrics["eval"]["eval_auc"] == 1
    assert run.metrics["eval"]["eval_loss"] < 1e-4
    with pytest.raises(LikelyError, match="offsets of the records"):
        train(config.model_copy(update={"max_steps": 3}), answer_metrics, resume=True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Offsets(np.zeros(3, np.float32)), "3 offsets for 4 training records"),
        (Offsets(np.zeros(4, np.float32), np.zeros(1, np.float32)), "1 offsets for 0 evaluation records"),
        (Offsets(np.array([0, np.nan, 0, 0], np.float32)), "training record 2 is not a finite number"),
    ],
)
def test_offsets_of_other_records_are_refused(given, message):
    with pytest.raises(LikelyError, match=message):
        given.chosen([0, 2], 4, 0)
