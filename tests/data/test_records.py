"""Foreign files work as they are, and a wrong one is named by file, row and key."""

import json
import math
from dataclasses import replace
from datetime import date, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likely.data.dataset_info import OPENAI, Columns
from likely.data.records import Labels, read_records, write_records
from likely.errors import LikelyError

TALLREC = {
    "instruction": "Given the user's preference and unpreference, identify whether the user will like the movie.",
    "input": 'User Preference: "Heat (1995)"\nUser Unpreference: "Jaws (1975)"\nWill the user like "Alien (1979)"?',
    "output": "Yes.",
}


def saved(tmp_path, content, name="data.json"):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_a_file_in_tallrecs_format_is_read_unmodified(tmp_path):
    (record,) = read_records(saved(tmp_path, [TALLREC]), Labels())
    assert (record.instruction, record.input, record.output) == (TALLREC["instruction"], TALLREC["input"], "Yes")


@given(
    label=st.sampled_from(["Yes", "No"]),
    case=st.sampled_from([str.lower, str.upper, str.title]),
    quote=st.sampled_from(["", '"', "'"]),
    end=st.sampled_from(["", ".", "!", " ", "\n"]),
)
def test_a_label_is_known_in_any_spelling(tmp_path_factory, label, case, quote, end):
    path = saved(tmp_path_factory.mktemp("l"), [{"instruction": "?", "output": f" {quote}{case(label)}{end}{quote}"}])
    assert read_records(path, Labels())[0].output == label


def test_json_lines_are_read_too(tmp_path):
    path = saved(tmp_path, "\n".join(json.dumps({**TALLREC, "user_id": n}) for n in range(3)) + "\n", "data.jsonl")
    assert [record.user_id for record in read_records(path, Labels())] == ["0", "1", "2"]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\u001c", "\u000b", "\r\n"])
@pytest.mark.parametrize("escaped", [True, False])
def test_only_a_line_end_ends_a_json_line(tmp_path, separator, escaped):
    rows = [{**TALLREC, "input": f"Heat{separator}Alien", "item_id": n} for n in range(2)]
    content = "\r\n".join(json.dumps(row, ensure_ascii=escaped) for row in rows) + "\n\n"
    records = read_records(saved(tmp_path, content.encode(), "data.jsonl"), Labels())
    assert [(record.input, record.item_id) for record in records] == [
        (f"Heat{separator}Alien", str(n)) for n in range(2)
    ]


@pytest.mark.parametrize("name", ["data.json", "data.jsonl"])
def test_half_a_surrogate_pair_becomes_the_replacement_character(tmp_path, name):
    row = {
        "instruction": "Is \ud83c\udfac good?",
        "input": "\udfac Heat \ud83c",
        "output": "Yes",
        "note": ["\ud83c", {"\udfac": 5}],
    }
    text = json.dumps(row)
    (record,) = read_records(saved(tmp_path, text if name == "data.jsonl" else f"[{text}]", name), Labels())
    assert (record.instruction, record.input) == ("Is \N{CLAPPER BOARD} good?", "\ufffd Heat \ufffd")
    assert record.extra == {"note": ["\ufffd", {"\ufffd": 5}]}
    assert write_records(tmp_path / "copy.json", [{"input": record.input, **record.extra}]) == 1


def test_extra_keys_are_kept(tmp_path):
    (record,) = read_records(saved(tmp_path, [{**TALLREC, "item_id": 7, "history_likes": 3}]), Labels())
    assert record.item_id == "7"
    assert record.extra == {"history_likes": 3}


@pytest.mark.parametrize("name", ["data.parquet", "data.jsonl", "data.csv"])
def test_ids_of_a_column_with_gaps_are_those_of_other_files(tmp_path, name):
    rows = [{**TALLREC, "user_id": value} for value in (7.0, 1e5, 2.5, math.nan, None)]
    if name == "data.parquet":
        pl.DataFrame(rows).write_parquet(tmp_path / name)
    elif name == "data.csv":  # as pandas writes them
        pl.DataFrame(rows).with_columns(pl.col("user_id").fill_nan(None)).write_csv(tmp_path / name)
    else:
        (tmp_path / name).write_text("\n".join(map(json.dumps, rows)))
    users = [record.user_id for record in read_records(tmp_path / name, Labels())]
    assert users == ["7", "100000", "2.5", None, None]


def test_sharegpt_turns_become_question_history_and_answer(tmp_path):
    turns = [("system", "Be brief."), ("human", "Alien?"), ("gpt", "No"), ("human", "Heat?"), ("gpt", "yes.")]
    rows = [{"conversations": [{"from": role, "value": text} for role, text in turns], "user_id": 4}]
    (record,) = read_records(saved(tmp_path, rows), Labels(), Columns("sharegpt"))
    assert (record.instruction, record.output, record.system) == ("Heat?", "Yes", "Be brief.")
    assert record.history == (("Alien?", "No"),)


TURNS = [("system", "Be brief."), ("user", "Alien?"), ("assistant", "No"), ("user", "Heat?"), ("assistant", "yes.")]


@pytest.mark.parametrize("columns", [None, OPENAI], ids=["recognised", "named"])
@pytest.mark.parametrize("in_parts", [False, True])
def test_openais_messages_are_read_like_sharegpts_turns(tmp_path, columns, in_parts):
    content = [[{"type": "text", "text": text}] if in_parts else text for _, text in TURNS]
    messages = [{"role": role, "content": text} for (role, _), text in zip(TURNS, content, strict=True)]
    (record,) = read_records(saved(tmp_path, [{"messages": messages, "user_id": 4}]), Labels(), columns)
    assert (record.instruction, record.output, record.system, record.user_id) == ("Heat?", "Yes", "Be brief.", "4")
    assert (record.history, record.extra) == ((("Alien?", "No"),), {})


def test_a_file_whose_columns_nobody_named_is_read_by_what_its_first_row_has(tmp_path):
    turns = [{"from": "human", "value": "Heat?"}, {"from": "gpt", "value": "No"}]
    (record,) = read_records(saved(tmp_path, [{"conversations": turns}]), Labels())
    assert (record.instruction, record.output) == ("Heat?", "No")
    with pytest.raises(LikelyError, match="row 2, key 'conversations'"):
        read_records(saved(tmp_path, [{"conversations": turns}, TALLREC]), Labels())


def test_what_is_counted_with_is_a_number_in_csv_too(tmp_path):
    told = {"timestamp": 964982703, "history_likes": 3, "history_length": 15, "note": "7"}
    pl.DataFrame([{**TALLREC, **told}, {**TALLREC, **told, "timestamp": 964982703}]).write_csv(tmp_path / "rows.csv")
    assert [one.extra for one in read_records(tmp_path / "rows.csv", Labels())] == [told, told]
    pl.DataFrame([{**TALLREC, **told, "timestamp": 2.5}, {**TALLREC, "timestamp": None}]).write_csv(tmp_path / "b.csv")
    half, unknown = read_records(tmp_path / "b.csv", Labels())
    assert (half.extra["timestamp"], unknown.extra["timestamp"]) == (2.5, "")


NOON = 1716120000
"""Noon of the nineteenth of May 2024, of UTC."""


@pytest.mark.parametrize(
    "text", ["2024-05-19T12:00:00", "2024-05-19 12:00", "2024-05-19T14:00:00+02:00", " 1716120000"]
)
def test_a_time_in_words_is_its_seconds(tmp_path, text):
    (one,) = read_records(saved(tmp_path, [{**TALLREC, "timestamp": text, "note": text}]), Labels())
    assert (one.extra["timestamp"], one.extra["note"]) == (NOON, text)
    (day,) = read_records(saved(tmp_path, [{**TALLREC, "timestamp": "2024-05-19"}]), Labels())
    assert day.extra["timestamp"] == NOON - 12 * 3600


def test_times_and_counts_of_parquet_are_numbers(tmp_path):
    row = {**TALLREC, "timestamp": datetime(2024, 5, 19, 12), "history_likes": 3.0, "history_length": 15.5}
    pl.DataFrame([row, {**row, "timestamp": None}]).write_parquet(tmp_path / "rows.parquet")
    one, unknown = read_records(tmp_path / "rows.parquet", Labels())
    assert [one.extra[key] for key in ("timestamp", "history_likes", "history_length")] == [NOON, 3, 15.5]
    assert isinstance(one.extra["history_likes"], int)
    assert unknown.extra["timestamp"] is None
    pl.DataFrame([{**row, "timestamp": date(2024, 5, 19)}]).write_parquet(tmp_path / "days.parquet")
    assert read_records(tmp_path / "days.parquet", Labels())[0].extra["timestamp"] == NOON - 12 * 3600


def test_shares_of_likes_are_a_mapping_in_csv_too(tmp_path):
    for text, told in (('{"of_all": 0.5}', {"of_all": 0.5}), ("{'of_all': 0.5}", "{'of_all': 0.5}"), ("", "")):
        pl.DataFrame([{**TALLREC, "shares": text}]).write_csv(tmp_path / "rows.csv")
        (one,) = read_records(tmp_path / "rows.csv", Labels())
        assert one.extra["shares"] == told


@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv", "rows.jsonl", "rows.json"])
def test_every_kind_of_file_gives_the_same_records(tmp_path, name):
    rows = [{**TALLREC, "user_id": n, "history": [["Alien?", "No"]] * (n % 2), "note": f'a, "{n}"'} for n in range(5)]
    messages = [{"messages": [{"role": role, "content": text} for role, text in TURNS], "n": n} for n in range(2)]
    for own in (rows, messages):
        path = tmp_path / name
        if name.endswith("parquet"):
            pl.DataFrame(own).write_parquet(path)
        elif name.endswith("csv"):
            flat = [{key: json.dumps(v) if isinstance(v, list) else v for key, v in row.items()} for row in own]
            pl.DataFrame(flat).write_csv(path)
        else:
            write_records(path, own)
        expected = read_records(saved(tmp_path, own, "expected.json"), Labels())
        found = read_records(path, Labels())
        if name.endswith("csv"):
            expected = [replace(one, extra={key: str(v) for key, v in one.extra.items()}) for one in expected]
        assert found == expected
        assert [str(record.place) for record in found] == [f"{path}, row {n}" for n in range(1, len(own) + 1)]


@pytest.mark.parametrize(
    ("answers", "label_map"),
    [
        (("Yes。", "No</s>", " yes<|im_end|>\n", "「No」"), {}),
        ((True, False, "TRUE", "false."), {"true": "Yes", "False": "No"}),
        ((1, 0, "1", 0.0), {"1": "yes", "0": "No"}),
        (("是", "否", "是。", "No"), {"是": "Yes", "否": "No"}),
        (("churned", "stayed", "Churned", "stayed."), {"Churned": "Yes", "stayed": "No"}),
    ],
)
def test_answers_are_spelled_in_many_ways(tmp_path, answers, label_map):
    path = saved(tmp_path, [{"instruction": "?", "output": answer} for answer in answers])
    records = read_records(path, Labels(), Columns(label_map=label_map))
    assert [record.output for record in records] == ["Yes", "No", "Yes", "No"]


@pytest.mark.parametrize("name", ["Input", "inputs", " input", "History", "systems "])
def test_a_column_that_seems_to_be_misspelled_is_not_passed_over(tmp_path, name):
    row = {"instruction": "?", "output": "Yes"}
    with pytest.raises(LikelyError, match=rf"row 2: the key '{name}' would not be read; did you mean"):
        read_records(saved(tmp_path, [row, {**row, name: "Heat"}]), Labels())
    others = {"history_likes": 1, "system_id": 2, "inputs_of_others": 3}
    (record,) = read_records(saved(tmp_path, [{**row, **others}]), Labels())
    assert record.extra == others


def test_records_are_written_in_no_other_format(tmp_path):
    with pytest.raises(LikelyError, match=r"data\.csv ends in none of \.json, \.jsonl and \.parquet"):
        write_records(tmp_path / "data.csv", [{"instruction": "?"}])


@pytest.mark.parametrize("column", ["query", "system", "history"])
def test_a_column_that_was_named_has_to_be_in_some_row(tmp_path, column):
    row = {"instruction": "?", "output": "Yes"}
    columns = Columns(**{column: "own"})
    rows = [row, {**row, "own": [] if column == "history" else "a"}]
    assert len(read_records(saved(tmp_path, rows), Labels(), columns)) == 2
    with pytest.raises(LikelyError, match=rf"no row has the key 'own', which dataset_info\.json names as {column}"):
        read_records(saved(tmp_path, rows[:1]), Labels(), columns)


@pytest.mark.parametrize(
    ("labels", "label_map", "complaint"),
    [
        (Labels(), {"Yes": "No", "No": "Yes"}, "'Yes' for No is read as 'yes', which means Yes already"),
        (Labels(), {"!": "Yes", "?": "No"}, "'!' for Yes is read as nothing"),
        (Labels(), {"a": "Yes", "'A'": "No"}, "\"'A'\" for No is read as 'a', which means Yes already"),
        (Labels("yes", "Yes!"), {}, "'Yes!' for Yes! is read as 'yes', which means yes already"),
    ],
)
def test_answers_that_would_mean_two_things_are_refused(tmp_path, labels, label_map, complaint):
    path = saved(tmp_path, [{"instruction": "?", "output": "Yes"}])
    with pytest.raises(LikelyError) as refusal:
        read_records(path, labels, Columns(label_map=label_map))
    assert complaint in str(refusal.value)


@pytest.mark.parametrize("answer", ["1", 1, True, "是"])
def test_an_answer_that_nobody_explained_comes_with_what_would_explain_it(tmp_path, answer):
    path = saved(tmp_path, [{"instruction": "?", "output": answer}])
    with pytest.raises(LikelyError, match=r"neither Yes nor No.*label_map='\{"):
        read_records(path, Labels())


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "is empty"),
        ("[]", "holds no records"),
        ('[{"instruction": "a", "outp', r"not JSON \(line 1, column"),
        (b"\x80\x04\x95binary", "not UTF-8"),
        ('"words"', "holds a str"),
        ([["a"]], r"data.json, row 1: a list where an object"),
        ([TALLREC, {"instruction": "a"}], r"row 2: the key 'output' is missing"),
        (
            [{"Instruction": "a", "output": "Yes"}],
            r"row 1: the key 'instruction' is missing; did you mean Instruction\?",
        ),
        (
            [{"instruction": "a", "question": "b", "input": "c"}],
            r"row 1: the key 'output' is missing; there are instruction, question, input\. Columns are named in",
        ),
        ([{"instruction": 5, "output": "Yes"}], r"row 1, key 'instruction': '5' is not text"),
        ([TALLREC, {**TALLREC, "output": "Maybe"}], r"row 2, key 'output': 'Maybe' is neither Yes nor No"),
        ([{**TALLREC, "history": "x"}], r"row 1, key 'history'"),
        ('{"instruction": "a", "output": "Yes"}\n{broken', r"not JSON \(line 2, column 2"),
    ],
)
def test_a_wrong_file_is_named_by_row_and_key(tmp_path, content, complaint):
    with pytest.raises(LikelyError, match=complaint):
        read_records(saved(tmp_path, content), Labels())


@pytest.mark.parametrize("turns", [[], [{"from": "gpt", "value": "Yes"}], [{"from": "human"}], "text"])
def test_wrong_conversations_are_named(tmp_path, turns):
    with pytest.raises(LikelyError, match="row 1"):
        read_records(saved(tmp_path, [{"conversations": turns}]), Labels(), Columns("sharegpt"))


@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl"])
def test_what_is_written_is_read_back(tmp_path, name):
    rows = [{**TALLREC, "item_id": n, "input": "Amélie | “quoted”"} for n in range(3)]
    assert write_records(tmp_path / name, iter(rows)) == 3
    assert [record.item_id for record in read_records(tmp_path / name, Labels())] == ["0", "1", "2"]
    assert (tmp_path / name).read_text(encoding="utf-8").count("\n") >= 3


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "rows.json"
    write_records(path, [TALLREC])
    before = path.read_bytes()

    def broken():
        yield TALLREC
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        write_records(path, broken())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
