"""A run starts only where it destroys nothing, and says how to go on."""

import pytest

from likely.errors import LikelyError
from likely.training.run_folder import check_folder, check_output


def test_nothing_to_resume_is_said(tmp_path):
    with pytest.raises(LikelyError, match="no checkpoint to resume from"):
        check_output(tmp_path / "run", overwrite=False, resume=True)


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(LikelyError, match="cannot be written"):
        check_folder(tmp_path / "file" / "run")


def test_a_new_folder_is_made(tmp_path):
    check_folder(tmp_path / "a" / "run")
    assert check_output(tmp_path / "a" / "run", overwrite=False, resume=False).checkpoint is None


@pytest.mark.parametrize(
    ("content", "words"),
    [("adapter_model.safetensors", "a finished run; set overwrite_output_dir=true"), ("checkpoint-5/x", "--resume")],
)
def test_what_another_run_left_is_kept_unless_told(tmp_path, content, words):
    path = tmp_path / content
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"weights")
    with pytest.raises(LikelyError, match=words):
        check_output(tmp_path, overwrite=False, resume=False)
    assert path.read_bytes() == b"weights"
    assert check_output(tmp_path, overwrite=True, resume=False).checkpoint is None
