"""Encoded training records kept on disk, so that the next run on the same file starts at once.

Sits between `data.records` and `prompt` on one side and `training` on the other. An entry is found by
everything that its contents depend on: the file's bytes, the tokenizer and its template with the date that it
writes, the labels, the length limit, and the versions that read and render. Consecutive records of a file share
most of their tokens, so each is stored as what is new after the one before it. Entries lie in a folder beside the
file, which may be deleted at any time.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import numpy as np

from likely.data.dataset_info import Columns
from likely.data.records import read_content, records_of
from likely.data.row_files import iter_rows
from likely.encoding.prefix_tree import TokenIds, shared_length
from likely.encoding.prompt import EncodedRecord, PromptBuilder
from likely.kept_arrays import read_arrays, write_arrays

FOLDER = ".likely_cache"

FORMAT = 3
"""To be raised with every change to what a record is encoded to, or to how an entry is laid out."""

KEPT_ENTRIES = 8
"""The one used longest ago goes when there are more; one of ml-latest-small has 24 MB."""


def encode_file(path: Path, columns: Columns | None, builder: PromptBuilder) -> list[EncodedRecord]:
    """Return the encoded records of a file, from the cache if they are there, and leave them there if not.

    Done without where it cannot be written, and for tokenizers that have no fingerprint.

    Args:
        path: the file.
        columns: names of its columns; Alpaca's own by default.
        builder: encodes its records.

    Raises:
        LikelyError: the file is missing or wrong, or a record is longer than the builder's limit.
    """
    identity = builder.fingerprint()
    content = read_content(path)
    # One after the other: their texts together would take many times the memory of a Parquet file.
    records = records_of(iter_rows(path, content), path, builder.labels, columns)
    if identity is None:
        return builder.encode_all(records)
    entry = path.parent / FOLDER / f"{_key(content, path, columns, identity)}.npz"
    encoded = _load(entry, builder)
    if encoded is None:
        encoded = builder.encode_all(records)
        with suppress(OSError):
            _store(entry, encoded)
    return encoded


def _key(content: bytes, path: Path, columns: Columns | None, identity: str) -> str:
    """Return the name of a file's entry: a hash of all that decides what is in it."""
    versions = (FORMAT, version("likely"), version("tokenizers"), version("transformers"))
    named = columns or Columns()
    digest = hashlib.sha256(content)
    digest.update(repr((versions, named, sorted(named.label_map.items()), path.suffix, identity)).encode())
    return digest.hexdigest()[:32]


def _store(entry: Path, encoded: Sequence[EncodedRecord]) -> None:
    """Write an entry whole or not at all, and remove the oldest beyond :data:`KEPT_ENTRIES`."""
    previous = np.empty(0, np.int32)
    shared = np.empty(len(encoded), np.int32)
    own: list[TokenIds] = []
    for place, record in enumerate(encoded):
        shared[place] = shared_length(previous, record.input_ids)
        own.append(record.input_ids[shared[place] :])
        previous = record.input_ids
    entry.parent.mkdir(exist_ok=True)
    (entry.parent / ".gitignore").write_text("*\n", encoding="utf-8")
    write_arrays(
        entry,
        KEPT_ENTRIES,
        own=np.concatenate(own),
        shared=shared,
        own_lengths=np.array([len(tokens) for tokens in own], np.int32),
        liked=np.array([record.liked for record in encoded], bool),
        dropped_lines=np.array([record.dropped_lines for record in encoded], np.int32),
    )


def _load(entry: Path, builder: PromptBuilder) -> list[EncodedRecord] | None:
    """Return the records of an entry, or None if it is not there or damaged."""
    arrays = read_arrays(entry, "own", "shared", "own_lengths", "liked", "dropped_lines")
    if arrays is None:
        return None
    own, (shared, lengths, liked, dropped) = arrays[0], (array.tolist() for array in arrays[1:])
    encoded: list[EncodedRecord] = []
    previous, start = own[:0], 0
    for share, length, likes, lines in zip(shared, lengths, liked, dropped, strict=True):
        previous = np.concatenate([previous[:share], own[start : start + length]])
        start += length
        encoded.append(EncodedRecord(previous, builder.positive_ids if likes else builder.negative_ids, likes, lines))
    return encoded
