"""Two runs never write to one folder, and a run that died keeps nobody out."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from likely.errors import LikelyError
from likely.locking import LOCK_FILE, alone_in

HOLD = "import sys, time, pathlib; from likely.locking import alone_in\n"
HOLD += "with alone_in(pathlib.Path(sys.argv[1])): print('holding', flush=True); time.sleep(60)"


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the folder."""
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "holding\n"
        yield process
        process.kill()


def test_the_second_is_told_who_is_there(tmp_path, holder):
    for _ in range(2):  # asking does not wipe the answer
        said = f"in use by another run .process {holder.pid} on {socket.gethostname()}."
        with pytest.raises(LikelyError, match=said), alone_in(tmp_path):
            pass


def test_the_lock_of_a_killed_process_is_no_lock(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with alone_in(tmp_path):
        assert (tmp_path / LOCK_FILE).read_text() == f"process {os.getpid()} on {socket.gethostname()}\n"
    with alone_in(tmp_path):
        pass


def test_the_lock_is_free_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), alone_in(tmp_path):
        raise ZeroDivisionError
    with alone_in(tmp_path):
        pass
