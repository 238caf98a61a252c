"""Workers of Ray write what one process writes, whatever becomes of them."""

import json
import signal
import threading
from contextlib import suppress
from functools import partial

import numpy as np
import polars as pl
import psutil
import pytest

from likely.cli import run as command
from likely.errors import LikelyError
from likely.inference.loaded_run import config_of
from likely.inference.predict_folder import predict_folder
from likely.inference.scored_file import ORIGIN

ray = pytest.importorskip("ray", reason="needs Ray, of make test-extras")

from likely.inference.on_ray import Share, share_of, spread_on_ray  # noqa: E402

FILES, ROWS = 4, 400


@pytest.fixture(scope="module")
def cluster():
    """A cluster of two CPUs on this machine."""
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def data(tmp_path_factory, rows):
    """Folder of files that take a worker a while."""
    data = tmp_path_factory.mktemp("ray") / "in"
    data.mkdir()
    for part in range(FILES):
        own = [{**rows[(part + place) % len(rows)], "row": f"{part}-{place}"} for place in range(ROWS)]
        pl.DataFrame(own).write_parquet(data / f"{part}.parquet")
    return data


def workers():
    """Processes of the cluster that score files."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # one that ended since it was listed
            if process.name().startswith("ray::") and "Worker" in process.name():
                found.append(process)
    return found


def signalled(processes, sign):
    """Those processes that were there to get a signal."""
    reached = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(sign)
            reached.append(process)
    return reached


def kill_one_midway(output, killed, ended):
    """Kill a worker while both have begun a file and not finished it, unless the command ended before."""
    while not (killed or ended.wait(0.01)):
        stopped = signalled(workers(), signal.SIGSTOP)
        if len(list(output.glob("*.partial"))) == 2:
            killed += signalled(stopped[:1], signal.SIGKILL)
        signalled(stopped[len(killed) :], signal.SIGCONT)


@pytest.mark.slow
def test_a_killed_worker_costs_no_row_and_doubles_none(tmp_path, folder, data, cluster, capsys):
    predict_folder(folder, data, tmp_path / "alone")
    output, killed, ended = tmp_path / "out", [], threading.Event()
    killer = threading.Thread(target=kill_one_midway, args=(output, killed, ended), daemon=True)
    killer.start()
    words = ["predict", "--run", str(folder), "--data", str(data), "--output", str(output)]
    try:
        assert command([*words, "--engine", "ray", "--workers", "2"]) == 0
    finally:
        ended.set()
        killer.join()
    assert killed
    assert f"{FILES * ROWS:,} rows of {FILES} files written" in capsys.readouterr().out
    assert sorted(path.name for path in output.iterdir()) == sorted(path.name for path in data.iterdir())
    for path in output.iterdir():
        found, expected = (pl.read_parquet(at / path.name) for at in (output, tmp_path / "alone"))
        assert found.drop("p_yes").equals(pl.read_parquet(data / path.name))
        np.testing.assert_allclose(found["p_yes"], expected["p_yes"], atol=1e-6)
        assert json.loads(pl.read_parquet_metadata(path)[ORIGIN])["dtype"] == "float32"  # found by one of them for all
    before = {path: path.stat().st_mtime_ns for path in output.iterdir()}
    done = predict_folder(folder, data, output)  # one process, or many: what is finished is finished
    assert all(one.kept == ROWS for one in done.values())
    assert before == {path: path.stat().st_mtime_ns for path in output.iterdir()}


@pytest.mark.slow
def test_what_a_worker_has_to_say_to_the_user_is_said(tmp_path, folder, cluster):
    (tmp_path / "in").mkdir()
    pl.DataFrame({"question": ["?"]}).write_parquet(tmp_path / "in" / "a.parquet")
    with pytest.raises(LikelyError, match=r"a\.parquet, row 1: the key 'instruction' is missing"):
        predict_folder(folder, tmp_path / "in", tmp_path / "out", spread=partial(spread_on_ray, workers=1))
    elsewhere = config_of(folder, None, ["model_name_or_path=/nowhere/tiny"])  # of which the precision depends
    with pytest.raises(LikelyError, match=r"^model_name_or_path /nowhere/tiny is not a folder"):
        predict_folder(folder, tmp_path / "in", tmp_path / "out", elsewhere, spread=partial(spread_on_ray, workers=1))


def test_a_cluster_that_is_not_there_is_said(tmp_path, folder, data, monkeypatch, capsys):
    monkeypatch.setenv("RAY_ADDRESS", "nowhere")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    words = ["predict", "--run", str(folder), "--data", str(data), "--output", str(tmp_path / "out")]
    assert command([*words, "--engine", "ray"]) == 2
    assert "Ray at RAY_ADDRESS nowhere cannot be reached" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("machines", "workers", "share"),
    [
        ([{"CPU": 8}], None, Share(1, 8, 0)),
        ([{"CPU": 8}], 3, Share(3, 2, 0)),
        ([{"CPU": 8}, {"CPU": 2}], 3, Share(3, 2, 0)),
        ([{"CPU": 8}, {"CPU": 4}, {}], 3, Share(3, 4, 0)),
        ([{"CPU": 8, "GPU": 2}, {"CPU": 8, "GPU": 1}], None, Share(3, 1, 1)),
        ([{"CPU": 8, "GPU": 2}, {"CPU": 8}], 1, Share(1, 1, 1)),
    ],
)
def test_each_worker_gets_its_share_of_the_machines(machines, workers, share):
    assert share_of(machines, workers) == share


@pytest.mark.parametrize(
    ("machine", "complaint"), [({"CPU": 2}, "more than the 2 CPUs"), ({"CPU": 9, "GPU": 2}, "more than the 2 GPUs")]
)
def test_more_workers_than_there_is_room_for_are_refused(machine, complaint):
    with pytest.raises(LikelyError, match=complaint):
        share_of([machine], 3)
