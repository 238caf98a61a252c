"""How good text, JSON, tables and zips become bad ones; everything is drawn from the generator that is passed in."""

import datetime
import gzip
import io
import json
import random
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import polars as pl
from polars.exceptions import PanicException, PolarsError

Draw = random.Random

WORDS = (
    *("", " ", "0", "-1", "1", "3", "1e3", "0.5", "-0", "1e400", "-1e999", ".inf", "-.inf", ".nan", "nan", "inf"),
    *("Infinity", "4294967296", "18446744073709551616", "9" * 30, "9" * 5000, "0x1F", "0b_", "0b1"),
    *("0o17", "1_000", "٣", "1:30"),
    *("true", "false", "yes", "no", "on", "null", "none", "~", "2024-13-45", "2024-02-30", "2024-01-01 25:61:00"),
    *("!!timestamp x", "!!int x", "!!binary x", "!!python/object:os.system x", "&a [*a]", "*b", "{}", "[]", "[1, [2]]"),
    *("{a: b}", "? x", "- x", "| x", ">", "%TAG", "@x", "`x", "a: b: c", '"\\0"', '"\\x00"', "'", '"', "<<: *a", "#"),
    *("-", "--"),
    *("a\tb", "\\", "/", ".", "..", "../..", "x" * 300, "x/" * 200, "~nobody/x", "/dev/null", "/proc/self/mem"),
    *("\u00e9", "e\u0301", "\u202e", "\u2028", "\x85", "\ufeff", "\ufdd0", "\U0001f600", "<|im_end|>"),
    *("[bold]", "{{x}}", "%s"),
    *("Yes", "No", "auto", "base", "run", "data", "out", "run.yaml", "data/tiny.json", "ratings"),
    *("ratings/ml.zip", "fa2"),
)  # fmt: skip
"""Texts that some reader takes for something else than text, or cannot take at all."""

BYTES = (
    *(b"\0", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\xc3", b"\xed\xa0\x80", b"\xe2\x80\xa8", b"\xc2\x85"),
    *(b"\r", b"\r\n", b"\n"),
    *(b"\t", b"::", b",", b'"', b"'", b"{", b"}", b"[", b"]", b":", b"NaN", b"1e999", b"\\ud800"),
    *(b"\\u0000", b"\x1b[31m"),
)  # fmt: skip

RAW = ("1e400", "-1e400", "NaN", "Infinity", "9" * 5000, "-0", "1E5", "01", "[" * 3000, '{"a":' * 2000, "[" * 200_000)
"""Spellings of values that Python does not write."""

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 10**30, 10**400, 0.5, -0.0, 1e308, "", " "),
    *("x", "\0", "\ud800"),
    *([], {}, [[]], [None], [1, "a"], {"": None}, {"a": {"b": [{}]}}, ["x"] * 50, "x" * 5000),
    *("NaN", "1", "-1", "2024-01-01", "Yes"),
)  # fmt: skip


def damaged(draw: Draw, content: bytes) -> bytes:
    """Return bytes with a few accidents, such as happen on disks, in editors and on the way."""
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        start = draw.randrange(len(content) + 1)
        end = min(start + draw.choice((0, 1, 2, 8, 64, 1000)), len(content))
        piece = content[start:end]
        change: Callable[[], bytes] = draw.choice(
            (
                lambda: content[:start],  # noqa: B023
                lambda: content[end:],  # noqa: B023
                lambda: content[:start] + content[end:],  # noqa: B023
                lambda: content[:start] + piece * draw.choice((2, 3, 50)) + content[end:],  # noqa: B023
                lambda: content[:start] + draw.choice(BYTES) + content[end:],  # noqa: B023
                lambda: content[:start] + draw.choice(WORDS).encode() + content[end:],  # noqa: B023
                lambda: content[:start] + bytes(byte ^ (1 << draw.randrange(8)) for byte in piece) + content[end:],  # noqa: B023
            )
        )
        content = change()
    whole: Callable[[], bytes] = draw.choice(
        (
            *[lambda: content] * 30,
            lambda: b"",
            lambda: draw.choice(BYTES) + content,
            lambda: content.decode("utf-8", "replace").encode(draw.choice(("utf-16", "utf-32", "utf-8-sig"))),
            lambda: content.replace(b"\n", draw.choice((b"\r\n", b"\r", b"\n\n", b""))),
        )
    )
    return whole()


def json_text(draw: Draw, value: Any) -> bytes:
    """Return a JSON value with some of its parts replaced, left out or named otherwise, as text."""
    raw: list[str] = []
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        value = _changed(draw, value, raw)
    text = json.dumps(value, ensure_ascii=draw.random() < 0.7, indent=draw.choice((None, None, 1)))
    for place, spelling in enumerate(raw):
        text = text.replace(f'"@@{place}@@"', spelling)
    return text.encode("utf-8", "surrogatepass")


def _changed(draw: Draw, value: Any, raw: list[str]) -> Any:
    """Return a value of which one part, at any depth, is another."""
    inner = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    if inner and draw.random() < 0.85:
        key = draw.choice(list(inner))
        copy = value.copy()
        what = draw.random()
        if what < 0.1:
            del copy[key]
        elif what < 0.2 and isinstance(copy, dict):
            copy[draw.choice((key + "s", key.upper(), "", "x" * 300, draw.choice(WORDS)))] = copy.pop(key)
        elif what < 0.25 and isinstance(copy, list):
            copy.insert(key, copy[draw.randrange(len(copy))])
        else:
            copy[key] = _changed(draw, value[key], raw)
        return copy
    if draw.random() < 0.2:
        raw.append(draw.choice(RAW))
        return f"@@{len(raw) - 1}@@"
    return draw.choice((*VALUES, *WORDS)) if draw.random() < 0.9 else [value]


def yaml_text(draw: Draw, keys: Iterable[str], good: str) -> bytes:
    """Return good lines of YAML with others among them, some of them odd."""
    lines, names = good.splitlines(), list(keys)
    for _ in range(draw.choice((1, 1, 1, 2, 5))):
        word = draw.choice(WORDS)
        line = draw.choice((f"{draw.choice(names)}: {word}", f"{draw.choice(names)}: {word}", f"{word}: 1", word))
        place = draw.randrange(len(lines) + 1)
        lines[place : place + draw.choice((0, 0, 1))] = [line]
    text = "\n".join(lines).encode("utf-8", "surrogatepass") + b"\n"
    return damaged(draw, text) if draw.random() < 0.2 else text


def table(draw: Draw, good: bytes) -> bytes:
    """Return a table of text with some of its fields or lines changed; its separator is guessed."""
    if draw.random() < 0.3:
        return damaged(draw, good)
    text = good.decode("utf-8")
    separator = next(one for one in ("::", "\t", "|", ",") if one in text)
    lines = text.split("\n")
    for _ in range(draw.choice((1, 1, 2, 10))):
        place = draw.choice((0, len(lines) - 2, draw.randrange(len(lines))))
        fields = lines[place].split(separator)
        field = draw.randrange(len(fields))
        what = draw.random()
        if what < 0.6:
            fields[field] = draw.choice(WORDS)
        elif what < 0.7:
            fields.insert(field, draw.choice(WORDS))
        elif what < 0.8:
            fields.pop(field)
        elif what < 0.9:
            lines.insert(draw.randrange(len(lines)), lines[place])
        lines[place] = draw.choice((separator,) * 20 + (",", "\t", "  ")).join(fields)
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def archive(draw: Draw, files: dict[str, bytes]) -> bytes:
    """Return a zip of files, written in an odd way or damaged afterwards."""
    packed = io.BytesIO()
    method = draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    folder = draw.choice(("", "ml/", "ml/", "a/b/", "../", "/", "__MACOSX/", "ml\\", "m\u00e9/"))
    with zipfile.ZipFile(packed, "w", method) as out:
        for name, content in files.items():
            out.writestr(folder + name, content)
    content = bytearray(packed.getvalue())
    if draw.random() < 0.6:  # what the headers say: version, flags, method, sizes, attributes
        signature = draw.choice((b"PK\1\2", b"PK\1\2", b"PK\3\4", b"PK\5\6"))
        start = content.find(signature)
        content[(start + 4 + draw.randrange(22)) % len(content)] = draw.choice((0, 1, 9, 14, 51, 63, 97, 99, 255))
    elif draw.random() < 0.7:
        return damaged(draw, bytes(content))
    return bytes(content)


COLUMNS: tuple[tuple[Any, Any], ...] = (
    *((None, pl.Null()), (True, pl.Boolean()), (7, pl.Int8()), (2**63, pl.UInt64()), (-(2**63), pl.Int64())),
    *((0.5, pl.Float32()), (float("nan"), pl.Float64()), (float("inf"), pl.Float64()), (b"\xff\0", pl.Binary())),
    *((datetime.date(1, 1, 1), pl.Date()), (datetime.datetime(9999, 12, 31), pl.Datetime("ns"))),
    *((datetime.timedelta(days=1), pl.Duration()), (datetime.time(1), pl.Time()), ([], pl.List(pl.Int64()))),
    *((["a", None], pl.List(pl.String())), ({"a": 1}, pl.Struct({"a": pl.Int64()})), ("x" * 5000, pl.String())),
    *(("a", pl.Categorical()), ("\0", pl.String()), ("", pl.String()), (1, pl.Decimal(10, 2))),
)
"""Values of a column of Parquet, with its type."""


def parquet(draw: Draw, rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return rows as Parquet, with a column of another type, another name, or damaged bytes."""
    frame = pl.DataFrame(rows, infer_schema_length=None)
    name, what = draw.choice(frame.columns), draw.random()
    written = io.BytesIO()
    try:
        if what < 0.4:
            value, kind = draw.choice(COLUMNS)
            frame = frame.with_columns(pl.Series(name, [None, *[value] * (frame.height - 1)], dtype=kind, strict=False))
        elif what < 0.5:
            frame = frame.rename({name: draw.choice((*WORDS, name.upper()))}, strict=False)
        elif what < 0.6:
            frame = frame.drop(name) if draw.random() < 0.5 else frame.clear()
        frame.write_parquet(written, compression=draw.choice(("zstd", "snappy", "uncompressed", "gzip")))
    except (PolarsError, PanicException, OverflowError, TypeError, ValueError):  # what cannot be made cannot come in
        return b"PAR1"
    return damaged(draw, written.getvalue()) if what > 0.7 else written.getvalue()


def odd_number(draw: Draw, rows: pl.DataFrame) -> bytes:
    """Return a table as Parquet, in a column of which a number is missing, none, or far from the others."""
    name = draw.choice([name for name, kind in rows.schema.items() if kind.is_numeric()])
    value = draw.choice((None, float("nan"), float("inf"), -1, 1e18, 1e308))
    values = rows[name].to_list()
    values[draw.randrange(len(values))] = value
    changed = pl.Series(name, values, dtype=pl.Float64, strict=False).cast(rows.schema[name], strict=False)
    written = io.BytesIO()
    rows.with_columns(changed).write_parquet(written)
    return written.getvalue()


def packed(draw: Draw, content: bytes) -> bytes:
    """Return bytes gzipped, seldom damaged afterwards."""
    pressed = gzip.compress(content, mtime=0)
    return damaged(draw, pressed) if draw.random() < 0.3 else pressed
