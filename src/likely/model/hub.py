"""Models that are no local folder: from huggingface's cache where they are in it, else from the hub if it answers.

`base` loads through :func:`from_cache_or_hub`. Left alone, huggingface asks the hub about every file of a model that
is in its cache, and answers a dead network with a minute of retries, each told about on stderr.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TypeVar

from likely.errors import LikelyError

T = TypeVar("T")

PATIENCE = 5.0
"""Seconds in which the hub has to answer."""

TOKENIZER_FILES = ("tokenizer_config.json", "tokenizer.json")
WEIGHT_FILES = ("config.json", "model.safetensors")
"""What the cache holds of a usual model that was fetched whole."""


def cached_folder(name: str, revision: str | None, files: Sequence[str] = TOKENIZER_FILES) -> Path | None:
    """Return the folder of a hub model in huggingface's cache, or None where one of these files is not in it."""
    from huggingface_hub import try_to_load_from_cache

    try:
        found = [try_to_load_from_cache(name, file, revision=revision) for file in files]
    except ValueError:  # no name that a model of the hub can have
        return None
    return Path(str(found[0])).parent if all(isinstance(path, str) for path in found) else None


def from_cache_or_hub(name: str, revision: str | None, files: Sequence[str], load: Callable[[str], T]) -> T:
    """Load a hub model, without the network where its files are in the cache.

    A model that is cached is not asked about again: a newer version of its branch is not fetched.

    Args:
        name: on the hub.
        revision: branch, tag or commit.
        files: those that have to be in the cache for it to be trusted.
        load: loads a folder, or a name from the hub.

    Raises:
        LikelyError: it is not in the cache, and the hub does not answer.
        OSError: the hub has no such model or does not give it.
        ValueError: there can be no such model.
    """
    cached = cached_folder(name, revision, files)
    if cached:
        with suppress(OSError, ValueError):  # half of it may be there, such as one of several files of weights
            return load(str(cached))
    trouble = hub_trouble(name, revision)
    if trouble is None:
        return load(name)
    unusual = cached_folder(name, revision, ["config.json"])
    if unusual:
        with suppress(OSError, ValueError):
            return load(str(unusual))
    raise LikelyError(
        f"The model {name} is not on this machine, and the hub cannot be reached ({trouble}); check the network, "
        "or set model_name_or_path to a local folder."
    )


def hub_trouble(name: str, revision: str | None) -> str | None:
    """Return why the hub does not answer when asked about a model, or None if it does, whatever it says.

    Asked once, through the user's own endpoint, proxy and certificates, and given up after :data:`PATIENCE`: a
    thread is left behind by a network that swallows everything, because no time limit holds for looking up a host.
    """
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError, HTTPError

    url = hf_hub_url(name, "config.json", revision=revision)
    said: list[str | None] = []

    def ask() -> None:
        try:
            get_hf_file_metadata(url, timeout=PATIENCE)
            said.append(None)
        except HfHubHTTPError as error:
            status = error.response.status_code
            said.append(f"{constants.ENDPOINT}: status {status}" if status >= 500 else None)
        except (HTTPError, OSError) as error:
            said.append(f"{constants.ENDPOINT}: {str(error).rstrip('.') or type(error).__name__}")

    asking = Thread(target=ask, daemon=True)
    asking.start()
    asking.join(PATIENCE)
    return said[0] if said else f"{constants.ENDPOINT}: no answer within {PATIENCE:g} s"
