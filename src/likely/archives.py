"""Zip and gzip files that come from elsewhere, inflated only as far as ratings do: a bomb is refused.

`data` and `sources` read tables and releases through it, and archives of numpy are checked before they are loaded.
"""

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

from likely.errors import LikelyError

MOST_INFLATION, ALWAYS_ALLOWED = 50, 64 << 20
"""A zip or gzip file may inflate to so many times its size, and to so many bytes in any case; ratings: 4 times."""

PIECE = 1 << 16
"""Bytes asked of a zip or gzip file at once."""


def read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return a file of a zip, read piece by piece, so that no header can make it larger than it says.

    Raises:
        LikelyError: it would be far larger than the archive; see :func:`check_inflation`.
    """
    check_inflation(archive, [name])
    content = bytearray()
    with archive.open(name) as member:
        while piece := member.read(PIECE):
            content += piece
    return bytes(content)


def check_inflation(archive: zipfile.ZipFile, names: Iterable[str]) -> None:
    """Check that files of a zip that is on the disk do not inflate to what only a bomb would hold.

    Raises:
        LikelyError: they do.
    """
    size, inflated = Path(str(archive.filename)).stat().st_size, sum(archive.getinfo(name).file_size for name in names)
    if inflated > most_inflated(size):
        raise LikelyError(
            f"{archive.filename} has {size / 1e6:,.1f} MB and would inflate to {inflated / 1e6:,.0f} MB, which is more "
            f"than {MOST_INFLATION} times as much; fetch it again, or unpack it and give the folder."
        )


def most_inflated(size: int) -> int:
    """Return to how many bytes so many of a zip or gzip file may inflate."""
    return max(MOST_INFLATION * size, ALWAYS_ALLOWED)


def gunzip(name: str, content: bytes) -> bytes:
    """Return what is in a gzip file.

    Args:
        name: by which messages call it.
        content: of the file.

    Raises:
        LikelyError: it is damaged, or would be far larger than the file; no more than that is inflated.
    """
    most, inflated = most_inflated(len(content)), bytearray()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            while piece := file.read(PIECE):
                inflated += piece
                if len(inflated) > most:
                    raise LikelyError(
                        f"{name} has {len(content) / 1e6:,.1f} MB and would inflate to more than {most / 1e6:,.0f} MB, "
                        "which no table of text does; make it again, or unpack it and give the table."
                    )
    except (OSError, EOFError, zlib.error) as error:
        raise LikelyError(f"{name} is not a whole gzip file ({error}); fetch or make it again.") from error
    return bytes(inflated)
