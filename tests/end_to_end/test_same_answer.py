"""Every verb gives a record the P(Yes) that transformers and peft alone give it, to 1e-5, however it is asked.

The oracle shares nothing with the package: the prompt is what the finished conversations with one answer and the other
have in common, and the two tokens are those in which they begin to differ.
"""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from fastapi.testclient import TestClient
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from chat_models import chat_tokenizer
from likely.cli import run
from likely.data.records import records_of, write_records
from likely.data.task import TASK_FILE, RecordsTask, dump_task
from likely.inference.loaded_run import LoadedRun
from likely.model.adapter import Lora
from likely.serving.app import make_app
from likely.serving.served import Served
from support import make_record, rows_of, save_drawn_run

CUTOFF = 400

CASES = {
    "swapped labels": ("byte_level", "thinking", ("No", "Yes"), {"batching": "packed"}),
    "labels of several tokens": ("metaspace", "mistral", ("Surely yes", "Not at all"), {"batching": "tree"}),
    "a record a pass": ("newline_tokens", "gemma", ("Yes", "No"), {"per_device_eval_batch_size": 1}),
    "padded": ("prepending", "leaves the system out", ("Yes", "No"), {"batching": "padded"}),
}


def rows_to_ask(labels):
    """Rows of three users in no order: equal ones, one question with both answers, one that is too long, odd ones."""
    made = rows_of(make_record(user, history) for history in (6, 3, 5) for user in (2, 0, 1))
    rows = [{**row, "output": labels[place % 2], "system": "", "history": []} for place, row in enumerate(made)]
    rows += [rows[4], {**rows[5], "output": labels[0]}, {**rows[5], "output": labels[1]}]
    rows += [{**rows[6], "history": [["Hi?", labels[0]], ["And now?", labels[1]]]}]
    rows += [{**rows[7], "input": rows[7]["input"].replace("Candidate: ", "Candidate: Élan ’t\u2028“x” ")}]
    long = rows_of([make_record(7, 55)])[0]
    return [*rows, *({**rows[0], "input": long["input"], **anchors} for anchors in ({}, {"cut_at_anchors": True}))]


def with_turns(row, answer):
    said = [text for exchange in row["history"] for text in exchange]
    texts = [*said, f"{row['instruction']}\n{row['input']}", answer]
    return [{"role": "assistant" if place % 2 else "user", "content": text} for place, text in enumerate(texts)]


def alone(model, tokenizer, row, labels, room):
    """P(Yes) by transformers alone, without the oldest lines of a history that is too long."""
    while True:
        one, other = (
            tokenizer.apply_chat_template(with_turns(row, answer), enable_thinking=False, return_dict=True)["input_ids"]
            for answer in labels
        )
        length = next(place for place, (left, right) in enumerate(zip(one, other, strict=False)) if left != right)
        if length <= room:
            break
        row = {**row, "input": re.sub(r"^- .*\n", "", row["input"], count=1, flags=re.MULTILINE)}
    return p_yes(model, one[:length], [one[length], other[length]])


def p_yes(model, prompt, tokens):
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([prompt])).logits[0, -1, tokens]
    return logits.double().softmax(-1)[0].item()


def records_in(rows, loaded):
    return list(records_of(rows, Path("rows"), loaded.builder.labels))


@pytest.fixture(scope="module", params=list(CASES))
def asked(request, tmp_path_factory):
    """Folder of a run beside its records, and what transformers and peft say of these: adapter and base, [rows]."""
    kind, template, labels, settings = CASES[request.param]
    folder = tmp_path_factory.mktemp("same")
    tokenizer = chat_tokenizer(kind, template)
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlamaConfig(vocab_size=len(tokenizer), **sizes, initializer_range=0.2, max_position_embeddings=2048)
    LlamaForCausalLM(config).save_pretrained(folder / "base")
    tokenizer.save_pretrained(folder / "base")
    rows = rows_to_ask(labels)
    write_records(folder / "data.json", rows)
    files = dict.fromkeys(("train_file", "eval_file", "test_file"), str(folder / "data.json"))
    named = {"positive_label": labels[0], "negative_label": labels[1], "cutoff_len": CUTOFF}
    lora = Lora(4, 8, 0.0, ["q_proj", "v_proj", "down_proj"])
    save_drawn_run(folder / "run", folder / "base", lora, 0.3, **files, **named, **settings)
    (folder / "run" / TASK_FILE).write_text(dump_task(RecordsTask()), encoding="utf-8")

    loaded = LoadedRun.load(folder / "run")
    builder = loaded.builder
    room = CUTOFF - max(len(builder.positive_ids), len(builder.negative_ids))
    at_anchor = builder.encode(records_in(rows, loaded)[-1])  # whose rule the oracle does not know
    prompt = at_anchor.prompt_ids.tolist()
    plain = AutoModelForCausalLM.from_pretrained(folder / "base").eval()
    tokenizer = AutoTokenizer.from_pretrained(folder / "base")

    def said(model):
        return [
            *(alone(model, tokenizer, row, labels, room) for row in rows[:-1]),
            p_yes(model, prompt, list(builder.first_tokens)),
        ]

    base = said(plain)
    expected = np.array([said(PeftModel.from_pretrained(plain, folder / "run").eval()), base])
    assert np.ptp(expected, axis=1).min() > 0.1
    # The same record, shortened otherwise: ten times further apart, for both models, than answers may be from these.
    assert np.abs(expected[:, -1] - expected[:, -2]).min() > 1e-4
    return folder, rows, expected


def lines_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def by_infer(folder, rows):
    assert run(["infer", "--run", str(folder / "run"), "--output", str(folder / "infer.jsonl")]) == 0
    return [[line[who]["p_yes"] for line in lines_of(folder / "infer.jsonl")] for who in ("adapter", "base")]


def by_evaluate(folder, rows):
    assert run(["evaluate", "--run", str(folder / "run"), "--output", str(folder / "evaluated")]) == 0
    said = [line["p_yes"] for line in lines_of(folder / "evaluated" / "evaluation_rows.jsonl")]
    return [[p_yes[who] for p_yes in said] for who in ("with the adapter", "base base")]


def by_predict(folder, rows):
    """From CSV, whose values are all text, in the opposite order, out of a folder that has moved."""
    told = [{key: json.dumps(value) if key == "history" else value for key, value in row.items()} for row in rows]
    pl.DataFrame(told[::-1], infer_schema_length=None).write_csv(folder / "told.csv")
    moved = shutil.copytree(folder / "run", folder / "elsewhere" / "moved")
    words = [
        "predict",
        "--run",
        str(moved),
        "--data",
        str(folder / "told.csv"),
        "--output",
        str(folder / "said.parquet"),
    ]
    assert run([*words, "--base"]) == 0
    return pl.read_parquet(folder / "said.parquet").select("p_yes", "base_p_yes").reverse().to_numpy().T


def by_python(folder, rows):
    """With an adapter that plain peft has loaded and saved."""
    again = shutil.copytree(folder / "run", folder / "again")
    plain = AutoModelForCausalLM.from_pretrained(folder / "base")
    PeftModel.from_pretrained(plain, folder / "run").save_pretrained(again)
    loaded = LoadedRun.load(again, layout="tree")
    return [loaded.predict(rows), loaded.answers(records_in(rows, loaded), adapter=False).p_yes]


def by_serve(folder, rows):
    with TestClient(make_app(Served.load(folder / "run"))) as client:
        said = client.post("/v1/predict", json={"records": rows, "base": True}).json()
    return [said["p_yes"], said["base_p_yes"]]


@pytest.mark.parametrize("ask", [by_infer, by_evaluate, by_predict, by_python, by_serve])
def test_every_verb_says_what_transformers_and_peft_say(asked, ask):
    folder, rows, expected = asked
    np.testing.assert_allclose(ask(folder, rows), expected, atol=1e-5)
