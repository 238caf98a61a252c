"""Scores are those of each record alone, in every layout."""

import numpy as np
import pytest
import torch

from likely.data.records import Labels
from likely.encoding.batches import Budget
from likely.encoding.prompt import PromptBuilder
from likely.model.adapter import Lora, add_adapter
from likely.model.base import Precision, load_base
from likely.model.scoring import PassPlan, score

FLOAT32 = Precision("float32", False)


def plan_for(builder, layout, tokens=3000):
    return PassPlan(layout, Budget(tokens), builder.first_tokens)


@pytest.fixture(scope="module")
def adapted(tiny_base):
    torch.manual_seed(0)
    model = add_adapter(load_base(str(tiny_base), FLOAT32, "sdpa"), Lora(4, 8, 0.1, ["q_proj", "up_proj"]))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3)
    return model


def alone(model, builder, record):
    """One record, the plain way: transformers' own causal mask and softmax over the vocabulary."""
    encoded = builder.encode(record)
    ids = torch.from_numpy(encoded.input_ids).long()[None]
    with torch.no_grad():
        logits = model(input_ids=ids).logits[0, encoded.answer_positions]
    log_probabilities = logits.log_softmax(dim=-1)
    answer = torch.tensor(encoded.answer)
    yes, no = builder.positive_ids[0], builder.negative_ids[0]
    first = log_probabilities[0].exp()
    return (
        (first[yes] / (first[yes] + first[no])).item(),
        (first[yes] + first[no]).item(),
        -log_probabilities.gather(1, answer[:, None]).mean().item(),
        first.argmax().item(),
    )


@pytest.mark.parametrize("layout", ["tree", "packed", "padded"])
@pytest.mark.parametrize("labels", [Labels(), Labels("Liked it", "Hated it")])
def test_scores_are_those_of_each_record_alone(adapted, builder, records, layout, labels):
    from dataclasses import replace

    own = PromptBuilder(builder.tokenizer, labels, 512)
    renamed = [replace(r, output=labels.positive if r.output == "Yes" else labels.negative) for r in records]
    answers = score(adapted, adapted.get_base_model(), own.encode_all(renamed), plan_for(own, layout))
    adapted.eval()
    for row, record in enumerate(renamed):
        p_yes, mass, loss, likeliest = alone(adapted, own, record)
        assert answers.p_yes[row] == pytest.approx(p_yes, rel=1e-4)
        assert answers.label_mass[row] == pytest.approx(mass, rel=1e-4)
        assert answers.loss[row] == pytest.approx(loss, rel=1e-4)
        assert answers.says_yes[row] == (likeliest == own.positive_ids[0])
        assert answers.says_no[row] == (likeliest == own.negative_ids[0])
        assert answers.liked[row] == (record.output == labels.positive)


def test_only_the_answers_reach_the_output_head(adapted, builder, records):
    widths = []
    head = adapted.get_base_model().get_output_embeddings()
    hook = head.register_forward_hook(lambda module, inputs, output: widths.append(tuple(output.shape)))
    encoded = builder.encode_all(records)
    score(adapted, adapted.get_base_model(), encoded, plan_for(builder, "padded", 100_000))
    hook.remove()
    assert sum(rows for rows, _ in widths) == len(records)


@pytest.mark.parametrize("layout", ["tree", "packed"])
def test_records_in_one_row_do_not_see_each_other(adapted, builder, records, record_of, layout):
    plan = plan_for(builder, layout)
    mine = records[:5]
    first = score(adapted, adapted.get_base_model(), builder.encode_all([*mine, record_of(99, 4)]), plan)
    second = score(adapted, adapted.get_base_model(), builder.encode_all([*mine, record_of(98, 5)]), plan)
    np.testing.assert_allclose(first.p_yes[:5], second.p_yes[:5], rtol=1e-5)
