"""A step is the same training whatever its layout, and its loss is TRL's."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from likely.data.records import Labels
from likely.encoding.prompt import PromptBuilder
from likely.errors import LikelyError
from tiny_trainer import fresh_model, trainer_for


def gradients_of_a_step(model, builder, encoded, layout, tmp_path, tokens=1500):
    trainer = trainer_for(model, builder, encoded, layout, tmp_path, tokens)
    loss = trainer.training_step(model, trainer.lay_out_step(list(range(len(encoded)))))
    return loss.item(), torch.cat([p.grad.flatten() for p in model.parameters() if p.requires_grad])


def gradients_one_by_one(model, encoded):
    """The plain way: each record alone, transformers' causal mask, mean over all supervised tokens."""
    tokens = sum(len(record.answer) for record in encoded)
    total = 0.0
    for record in encoded:
        logits = model(input_ids=torch.from_numpy(record.input_ids).long()[None]).logits[0, record.answer_positions]
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor(record.answer), reduction="sum") / tokens
        loss.backward()
        total += loss.item()
    return total, torch.cat([p.grad.flatten() for p in model.parameters() if p.requires_grad])


@pytest.fixture(scope="module")
def alone(request, builder, records):
    """Return a builder of prompts with these labels, records encoded by it, and their plain loss and gradients."""

    @cache
    def computed(base, labels):
        own = PromptBuilder(builder.tokenizer, labels, 512)
        renamed = [replace(r, output=labels.positive if r.output == "Yes" else labels.negative) for r in records[:7]]
        encoded = own.encode_all(renamed)
        return own, encoded, *gradients_one_by_one(fresh_model(request.getfixturevalue(base)), encoded)

    return computed


@pytest.mark.parametrize("layout", ["tree", "packed", "padded"])
@pytest.mark.parametrize("labels", [Labels(), Labels("Liked it", "Hated it")])
@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("base", ["tiny_base", "tiny_qwen"])
def test_a_step_is_the_sum_of_its_records_alone(request, base, alone, tmp_path, layout, labels, checkpointing):
    own, encoded, expected_loss, expected = alone(base, labels)
    model = fresh_model(request.getfixturevalue(base), checkpointing=checkpointing)
    loss, gradients = gradients_of_a_step(model, own, encoded, layout, tmp_path, tokens=500)  # several passes
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert (gradients - expected).norm() / expected.norm() < 1e-4


def test_float16_trains_with_a_scaled_loss(tiny_qwen, builder, records, tmp_path):
    """As on a T4: weights of 16 bits, whose small gradients would be zero; those of the adapter can be unscaled."""
    encoded = builder.encode_all(records[:7])
    _, expected = gradients_of_a_step(fresh_model(tiny_qwen), builder, encoded, "tree", tmp_path)
    model = fresh_model(tiny_qwen, dtype="float16")
    trainer = trainer_for(model, builder, encoded, "tree", tmp_path)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    trainer.accelerator.scaler = torch.amp.GradScaler("cpu")
    trainer.training_step(model, trainer.lay_out_step(list(range(len(encoded)))))
    trainer.accelerator.scaler.unscale_(torch.optim.SGD(trained, lr=1.0))
    found = torch.cat([weight.grad.flatten() for weight in trained])
    assert (found - expected).norm() / expected.norm() < 0.05


def test_the_token_budget_changes_the_passes_and_not_the_step(tiny_base, builder, records, tmp_path):
    encoded = builder.encode_all(records[:14])
    small = gradients_of_a_step(fresh_model(tiny_base), builder, encoded, "padded", tmp_path, tokens=1)
    large = gradients_of_a_step(fresh_model(tiny_base), builder, encoded, "padded", tmp_path, tokens=100_000)
    assert small[0] == pytest.approx(large[0], rel=1e-6)
    assert (small[1] - large[1]).norm() / large[1].norm() < 1e-5


def test_loss_and_gradients_are_those_of_trl(tiny_base, builder, records, tmp_path):
    """SFTTrainer on the same tokens, completion only, padded by its own collator."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    encoded = builder.encode_all(records[:8])
    rows = [
        {
            "input_ids": [*record.input_ids.tolist(), record.answer[-1]],
            "completion_mask": [0] * len(record.input_ids) + [1],
        }
        for record in encoded
    ]
    theirs = fresh_model(tiny_base)
    arguments = SFTConfig(
        output_dir=str(tmp_path / "trl"),
        completion_only_loss=True,
        per_device_train_batch_size=8,
        max_length=None,
        report_to="none",
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        disable_tqdm=True,
    )
    trl = SFTTrainer(
        model=theirs, args=arguments, train_dataset=Dataset.from_list(rows), processing_class=builder.tokenizer
    )
    theirs.train()
    batch = next(iter(trl.get_train_dataloader()))
    expected_loss = trl.compute_loss(theirs, batch)
    expected_loss.backward()
    expected = torch.cat([p.grad.flatten() for p in theirs.parameters() if p.requires_grad])

    loss, gradients = gradients_of_a_step(fresh_model(tiny_base), builder, encoded, "padded", tmp_path)
    assert loss == pytest.approx(expected_loss.item(), rel=1e-5)
    assert (gradients - expected).norm() / expected.norm() < 1e-5


def test_training_lowers_the_loss_and_logs_the_metrics(tiny_base, builder, records, tmp_path):
    encoded = builder.encode_all(records[:20])
    trainer = trainer_for(
        fresh_model(tiny_base),
        builder,
        encoded,
        "tree",
        tmp_path,
        num_train_epochs=5,
        learning_rate=1e-2,
        logging_steps=1,
        save_strategy="no",
    )
    before = trainer.evaluate()["eval_loss"]
    trainer.train()
    assert trainer.state.global_step == 5 * 2
    assert trainer.evaluate()["eval_loss"] < before - 0.1


def test_a_loss_that_is_not_finite_stops_with_step_and_rows(tiny_base, builder, records, tmp_path):
    model = fresh_model(tiny_base)
    encoded = builder.encode_all(records[:4])
    with torch.no_grad():
        model.get_base_model().get_input_embeddings().weight[int(encoded[0].input_ids[0])] = float("nan")
    trainer = trainer_for(model, builder, encoded, "padded", tmp_path)
    with pytest.raises(LikelyError, match=r"not finite at step 1 \(training rows 1, 2, 3, 4\)"):
        trainer.train()
    with pytest.raises(LikelyError, match=r"not finite after step 0 \(evaluation rows 1, 2, 3, 4\)"):
        trainer.evaluate()


def test_rows_are_those_of_the_files(tiny_base, builder, records, tmp_path):
    """Where `max_samples` chose some of them."""
    model = fresh_model(tiny_base)
    with torch.no_grad():
        model.get_base_model().get_input_embeddings().weight.fill_(float("nan"))
    encoded = builder.encode_all(records[:2])
    trainer = trainer_for(model, builder, encoded, "padded", tmp_path, rows=([7, 3], [12, 40]))
    with pytest.raises(LikelyError, match=r"training rows 3, 7\)"):
        trainer.train()
    with pytest.raises(LikelyError, match=r"evaluation rows 12, 40\)"):
        trainer.evaluate()


def test_answers_from_several_devices_come_back_in_order(records):
    from likely.model.answers import Answers
    from likely.training.trainer import _interleave

    values = np.arange(7.0)
    whole = Answers(values > 3, values, values > 1, values > 2, values, values)
    parts = [Answers(*(getattr(whole, n)[rank::3] for n in Answers.__dataclass_fields__)) for rank in range(3)]
    assert _interleave(parts).p_yes.tolist() == values.tolist()
