"""The drawing is the tree that is trained on: every token is in it once, every record ends in it with its answer."""

import io
import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from likely.cli import run
from likely.encoding.prefix_tree import build_tree, chain_lengths
from likely.report import tree_drawing as drawing
from likely.report.tree_drawing import abridged, draw_lines, draw_records, find_segments, segment_text

# Few different tokens, so that random sequences often share beginnings, repeat or contain each other.
SEQUENCES = st.lists(st.lists(st.integers(0, 2), max_size=7).map(lambda ids: np.array(ids, np.int32)), max_size=12)
TOTAL = re.compile(r"([\d,]+) records?, ([\d,]+) tokens alone, ([\d,]+) in the tree \(([\d.]+)x\)")


def paths(segments, before=()):
    """Yield every segment of a tree with those on the way to it, itself included."""
    for segment in segments:
        yield (*before, segment)
        yield from paths(segment.branches, (*before, segment))


def printed(renderable, width=200, **options):
    console = Console(file=io.StringIO(), width=width, **options)
    console.print(renderable)
    return console.file.getvalue()


@given(SEQUENCES)
def test_the_segments_hold_every_token_of_the_tree_once(sequences):
    sizes = [len(path[-1]) for path in paths(find_segments(sequences))]
    assert sum(sizes) == len(build_tree(sequences))
    assert all(size > 0 for size in sizes)


@given(SEQUENCES)
def test_a_record_is_what_the_segments_on_its_path_hold(sequences):
    found = {}
    for path in paths(find_segments(sequences)):
        tokens = [token for s in path for token in sequences[s.record][s.start : s.end].tolist()]
        found |= dict.fromkeys(path[-1].ends, tokens)
    assert found == {record: ids.tolist() for record, ids in enumerate(sequences) if len(ids)}


@given(SEQUENCES)
def test_a_segment_ends_only_where_something_forks_or_a_record_ends(sequences):
    for path in paths(find_segments(sequences)):
        assert path[-1].ends or len(path[-1].branches) > 1


@given(SEQUENCES)
def test_every_segment_and_every_record_is_drawn_once_and_branches_follow_the_records(sequences):
    roots = find_segments(sequences)
    lines = [line for root in roots for line in draw_lines(root, lambda segment: [Text("a"), Text("b")])]
    assert sorted(line.tokens for line in lines if line.tokens) == sorted(len(path[-1]) for path in paths(roots))
    assert sorted(end for line in lines for end in line.ends) == [i for i, ids in enumerate(sequences) if len(ids)]
    for path in paths(roots):
        firsts = [branch.record for branch in path[-1].branches]
        assert firsts == sorted(firsts)
        assert path[-1].record == min([*path[-1].ends, *firsts])


def test_the_worked_example_of_the_module():
    picture = [line.strip() for line in drawing.__doc__.splitlines() if line.lstrip().startswith(("│", "├", "└"))]
    shown = [re.split(r" {3,}", line)[0] for line in picture]
    prompt, heat, ronin, alien, aliens, gattaca, seen, last = (re.sub("^[│├└─┐ ]+", "", line) for line in shown)
    records = [[prompt, heat, ronin], [prompt, heat, alien, aliens], [prompt, heat, alien, gattaca]]
    records.append([prompt, heat, seen, last])
    words = list(dict.fromkeys(word for record in records for word in record))
    sequences = [np.array([words.index(word) for word in record], np.int32) for record in records]
    (root,) = find_segments(sequences)
    lines = draw_lines(root, lambda s: [Text(words[token]) for token in sequences[s.record][s.start : s.end]])
    assert [line.guide + line.text.plain for line in lines] == shown


def test_a_chain_of_any_length_can_be_drawn():
    (root,) = find_segments([np.array([1] * n + [0], np.int32) for n in range(1, 1500)])
    assert len(draw_lines(root, lambda segment: [Text("x")])) == 2 * 1499 - 1


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_the_drawing_shows_every_candidate_and_answer_and_counts_every_token(builder, records, width):
    shown = records[:10]  # of two users
    sequences = [builder.encode(record).input_ids for record in shown]
    text = printed(draw_records(builder, shown, "ten records"), width)
    together = int(chain_lengths(sequences)[1].sum())
    alone = sum(map(len, sequences))
    found = TOTAL.search(" ".join(text.split()))
    assert [figure.replace(",", "") for figure in found.groups()] == [
        "10", str(alone), str(together), f"{alone / together:.1f}"
    ]  # fmt: skip
    rows = [line.rstrip() for line in text.splitlines() if line.startswith(("│", "├", "└"))]
    assert sum(int(row.split()[-1].replace(",", "")) for row in rows if re.search(r"  [\d,]+$", row)) == together
    tips = [row for row in rows if re.search(r"(├──|└──) Cand", row)]
    assert all(re.search(r"  [\d,]+$", row) for row in tips), "every candidate says what it alone costs"
    assert [re.search(r" {2,}(Yes|No)\b", row)[1] for row in tips] == [record.output for record in shown]
    if width >= 80:
        assert [record.item_id in row for record, row in zip(shown, tips, strict=True)] == [True] * len(shown)
    assert all(len(line) <= width for line in text.splitlines())


def test_right_answers_are_green_where_liked_and_red_where_not(builder, records):
    text = printed(draw_records(builder, records[:10], ""), force_terminal=True, color_system="standard")
    assert text.count("\x1b[32mYes") == sum(record.output == "Yes" for record in records[:10])
    assert text.count("\x1b[31mNo") == sum(record.output == "No" for record in records[:10])


def test_one_question_with_two_answers_is_one_leaf_and_a_single_record_a_tree(builder, records):
    both = [replace(records[0], output=output) for output in ("Yes", "No")]
    assert "Yes, No" in printed(draw_records(builder, both, ""))
    assert "1 record," in printed(draw_records(builder, records[:1], ""))


def test_markup_in_a_title_is_only_text(builder, records):
    record = replace(records[0], input="- [REC] (2007) | rated 5\nCandidate: [b]Heat[/b] (1995)")
    text = printed(draw_records(builder, [record], "user [red]"))
    for shown in ("[REC] (2007) | rated 5", "Candidate: [b]Heat[/b] (1995)", "user [red]"):
        assert shown in text


def test_the_texts_of_a_path_are_the_prompt_even_where_a_character_is_forked(builder, records):
    shown = [replace(records[0], input=f"- {title} (1995)\nCandidate: Heat") for title in ("Élisa", "Ève", "Élan")]
    sequences = [builder.encode(record).input_ids for record in shown]
    for path in paths(find_segments(sequences)):
        for end in path[-1].ends:
            texts = [segment_text(builder.tokenizer, sequences[end], segment) for segment in path]
            assert "".join(text.removeprefix("…") for text in texts) == builder.render(shown[end])
            assert len(texts) > 1
            assert texts[1].startswith("…")


@given(st.integers(1, 30))
def test_of_a_long_text_the_first_and_the_last_two_lines_are_shown(count):
    lines = [f"line {number}" for number in range(count)]
    shown = [line.plain for line in abridged("\n".join(lines) + "\n")]
    if count <= 4:
        assert shown == lines
    else:
        assert shown == [lines[0], f"... {count - 3} more lines ...", *lines[-2:]]


@pytest.fixture
def project(tmp_path, tiny_base):
    """Return a function that writes training records and a configuration, and gives the latter's path."""

    def write(records):
        rows = [{**vars(record), "extra": None, "history": []} for record in records]
        (tmp_path / "train.json").write_text(json.dumps(rows), encoding="utf-8")
        values = {
            "model_name_or_path": str(tiny_base),
            "dataset": None,
            "train_file": str(tmp_path / "train.json"),
            "eval_strategy": "no",
            "output_dir": str(tmp_path / "out"),
            "cutoff_len": 512,
        }
        path = tmp_path / "run.yaml"
        path.write_text(yaml.safe_dump(values), encoding="utf-8")
        return str(path)

    return write


def test_the_first_user_is_drawn_unless_another_is_named(project, records, capsys):
    config = project(records)
    for arguments, title in (
        ([], "user 0, 5 of 5 records"),
        (["--user", "3"], "user 3, 5 of 5 records"),
        (["--user", "3", "--max-records", "2"], "user 3, 2 of 5 records"),
    ):
        assert run(["tree", "--config", config, *arguments]) == 0
        out = capsys.readouterr().out
        assert title in out
        assert TOTAL.search(out)[1] == title.split()[2]


def test_the_picture_shows_what_the_terminal_does(project, records, tmp_path, capsys):
    picture = tmp_path / "[new]" / "tree.svg"
    assert run(["tree", "--config", project(records), "--picture", str(picture)]) == 0
    assert f"Picture written to {picture}.\n" in capsys.readouterr().out
    shown = "".join(ElementTree.parse(picture).getroot().itertext()).replace("\xa0", " ")
    assert TOTAL.search(shown)
    assert all(record.item_id in shown for record in records[:5])


@pytest.mark.parametrize(
    ("keep", "arguments", "words"),
    [
        (8, ["--user", "999"], ["user '999'", "8 that have some: 0, 1, 2, 3, 4, ..."]),
        (2, ["--user", "[b]"], ["user '[b]'", "2 that have some: 0, 1."]),
        (0, [], ["has a user_id", "likely prepare"]),
        (0, ["--user", "1"], ["has a user_id"]),
    ],
    ids=["unknown", "markup", "nobody", "nobody asked for"],
)
def test_a_user_without_records_is_refused_in_one_sentence(project, records, capsys, keep, arguments, words):
    owned = [record for record in records if int(record.user_id) < keep]
    config = project(owned or [replace(record, user_id=None) for record in records])
    assert run(["tree", "--config", config, *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("likely: ")
    assert error.count("\n") == 1
    assert all(word in error for word in words), error


def test_no_records_to_draw_are_refused(project, records, capsys):
    assert run(["tree", "--config", project(records), "--max-records", "0"]) == 2
    assert "--max-records" in capsys.readouterr().err
