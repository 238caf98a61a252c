"""`import likely` gives what it promises: at once, by name, and without a word."""

import subprocess
import sys
from importlib import import_module

import pytest

import likely

PACKAGES = ("config", "sources", "data", "encoding", "model", "training", "inference", "evaluation", "report", "cli")
PROMISED = {
    "load_config", "prepare", "train", "evaluate", "export", "LoadedRun", "Ranker", "Movie", "RatedMovie",
    "LikelyError", "StoppedError", "__version__",
}  # fmt: skip


def test_all_that_is_promised_is_there():
    assert set(likely.__all__) >= PROMISED
    assert set(dir(likely)) == set(likely.__all__)


@pytest.mark.parametrize("package", ["", *(f".{name}" for name in PACKAGES)])
def test_every_name_of_a_face_is_where_the_face_says(package):
    """A face that names a submodule's name would give one or the other, by what was imported before."""
    face = import_module(f"likely{package}")
    assert face.__doc__
    for name in face.__all__:
        assert getattr(face, name) is not None
        assert not isinstance(getattr(face, name), type(sys)), name
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        face.nothing_of_the_kind  # noqa: B018


@pytest.mark.parametrize(
    "options", [{"to": "GGUF"}, {"to": "ollama"}, {"outtype": "q8_0"}, {"to": "gguf", "outtype": "q4"}]
)
def test_an_export_to_something_else_is_refused(tmp_path, options):
    with pytest.raises(likely.LikelyError, match="is not possible; to is merged, or gguf with f32, f16 or q8_0"):
        likely.export(tmp_path, tmp_path / "out", **options)


def test_importing_takes_less_than_a_tenth_of_a_second():
    """Of the processor, which other work on the machine does not take away; the best of three."""
    code = "import time; started = time.process_time(); import likely; print(time.process_time() - started)"
    runs = [subprocess.run([sys.executable, "-c", code], check=True, capture_output=True) for _ in range(3)]
    assert min(float(run.stdout) for run in runs) < 0.1


def test_records_are_prepared_without_a_model_library():
    code = "import sys, likely; likely.prepare; likely.load_config; likely.Movie; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
