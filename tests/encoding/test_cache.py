"""A second run on the same file reads what the first has encoded, and nothing that is out of date."""

from dataclasses import asdict

import numpy as np
import pytest

from likely.data.dataset_info import Columns
from likely.data.records import Labels, read_records, write_records
from likely.encoding import cache
from likely.encoding.cache import FOLDER, KEPT_ENTRIES, encode_file
from likely.encoding.prompt import PromptBuilder
from likely.errors import LikelyError
from likely.model.base import load_tokenizer


@pytest.fixture
def file(records, tmp_path):
    """A training file of forty records."""
    path = tmp_path / "train.json"
    write_records(path, map(asdict, records))
    return path


def entries(file):
    return sorted((file.parent / FOLDER).glob("*.npz"))


def assert_same(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.input_ids, other.input_ids)
        assert one.input_ids.dtype == other.input_ids.dtype
        assert (one.answer, one.liked, one.dropped_lines) == (other.answer, other.liked, other.dropped_lines)


@pytest.fixture
def never_encodes(monkeypatch):
    def refuse(self, records):
        raise AssertionError("encoded again")

    def switch():
        monkeypatch.setattr(PromptBuilder, "encode_all", refuse)

    return switch


def test_a_cached_record_is_the_encoded_one(file, builder, records, never_encodes):
    expected = builder.encode_all(read_records(file, Labels()))
    assert_same(encode_file(file, None, builder), expected)
    never_encodes()
    assert_same(encode_file(file, None, builder), expected)
    assert_same(encode_file(file, Columns(), builder), expected)


def test_shortened_histories_survive(file, tiny_base, never_encodes):
    builder = PromptBuilder(load_tokenizer(str(tiny_base)), Labels(), 120)
    expected = encode_file(file, None, builder)
    assert any(record.dropped_lines for record in expected)
    never_encodes()
    assert_same(encode_file(file, None, builder), expected)


def test_what_an_entry_depends_on_makes_another_entry(file, tiny_base, builder, records):
    encode_file(file, None, builder)
    shorter = PromptBuilder(load_tokenizer(str(tiny_base)), Labels(), 120)
    encode_file(file, None, shorter)
    write_records(file, map(asdict, records[:9]))
    assert len(encode_file(file, None, builder)) == 9
    template = load_tokenizer(str(tiny_base))
    template.chat_template = "Hello. " + template.chat_template
    changed = PromptBuilder(template, Labels(), 512)
    assert_same(encode_file(file, None, changed), changed.encode_all(records[:9]))
    assert len(entries(file)) == 4


def test_a_file_that_changes_meanwhile_leaves_the_entry_of_what_was_read(file, builder, records, monkeypatch):
    before, after = builder.encode_all(records), builder.encode_all(records[:9])
    own_key = cache._key

    def key_then_change(*parts):
        name = own_key(*parts)
        write_records(file, map(asdict, records[:9]))
        return name

    unchanged = file.read_bytes()
    monkeypatch.setattr(cache, "_key", key_then_change)
    assert_same(encode_file(file, None, builder), before)
    monkeypatch.undo()
    assert_same(encode_file(file, None, builder), after)
    file.write_bytes(unchanged)
    assert_same(encode_file(file, None, builder), before)


def test_another_version_or_format_reads_no_old_entry(file, builder, monkeypatch):
    encode_file(file, None, builder)
    monkeypatch.setattr(cache, "FORMAT", cache.FORMAT + 1)
    encode_file(file, None, builder)
    monkeypatch.setattr(cache, "version", lambda package: f"{package} of tomorrow")
    encode_file(file, None, builder)
    assert len(entries(file)) == 3


def test_a_damaged_entry_is_made_again(file, builder):
    expected = encode_file(file, None, builder)
    (entry,) = entries(file)
    whole = entry.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], whole[:200] + bytes(40) + whole[240:]):
        entry.write_bytes(damaged)
        assert_same(encode_file(file, None, builder), expected)
        assert entry.stat().st_size == len(whole)


def test_an_entry_that_inflates_to_far_more_than_it_has_is_made_again(file, builder):
    expected = encode_file(file, None, builder)
    (entry,) = entries(file)
    with np.load(entry) as arrays:
        np.savez_compressed(entry, **{**arrays, "own": np.zeros(20_000_000, np.int32)})
    assert_same(encode_file(file, None, builder), expected)


def test_old_entries_go(file, builder, records):
    for count in range(1, KEPT_ENTRIES + 4):
        write_records(file, map(asdict, records[:count]))
        encode_file(file, None, builder)
    assert len(entries(file)) == KEPT_ENTRIES
    assert (file.parent / FOLDER / ".gitignore").read_text() == "*\n"


def test_a_folder_that_cannot_be_written_is_done_without(file, builder):
    (file.parent / FOLDER).write_text("a file where the folder should be")
    assert len(encode_file(file, None, builder)) == 40


def test_faults_of_the_file_are_told_as_ever(tmp_path, builder):
    with pytest.raises(LikelyError, match="does not exist"):
        encode_file(tmp_path / "train.json", None, builder)
    (tmp_path / "train.json").write_text("[]")
    with pytest.raises(LikelyError, match="no records"):
        encode_file(tmp_path / "train.json", None, builder)
    assert not (tmp_path / FOLDER).exists()
