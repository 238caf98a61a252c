"""An exported folder on the hub, by huggingface_hub."""

from pathlib import Path

from likely.errors import LikelyError


def check_login(name: str) -> None:
    """Check, before anything is computed, that the hub knows who uploads, and that a repository may have this name.

    Raises:
        LikelyError: it does not, or may not.
    """
    from huggingface_hub import get_token
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise LikelyError(f"--push-to-hub {name} is no name on the hub ({str(error).rstrip('.')}).") from error
    if get_token() is None:
        raise LikelyError("--push-to-hub needs a login; run hf auth login, or set HF_TOKEN.")


def push(folder: Path, name: str) -> str:
    """Upload a folder into a repository, which is made if it is not there, and private then.

    Args:
        folder: whose files to upload.
        name: of the repository, with its owner or without.

    Returns:
        Its address.

    Raises:
        LikelyError: the hub refuses, or cannot be reached; the folder is there all the same.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HTTPError

    api = HfApi()
    try:
        repository = api.create_repo(name, private=True, exist_ok=True)
        api.upload_folder(repo_id=repository.repo_id, folder_path=folder, commit_message="Exported by likely")
    except (HfHubHTTPError, HTTPError, OSError) as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise LikelyError(
            f"{folder} is written, but could not be uploaded to {name} ({reason}); upload it with: "
            f"hf upload {name} {folder}"
        ) from error
    return str(repository)
