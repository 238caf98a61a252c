"""CUDA is told what it needs before anything asks it; a faked one stands in for GPUs."""

from importlib import import_module

import pytest
import torch
from transformers import AutoModelForCausalLM

from likely.inference import loaded_run, precision_here
from likely.inference.loaded_run import LoadedRun
from likely.model.base import Precision, load_base
from likely.model.cuda import ready_cuda
from likely.training import run
from likely.training.stopping import StopRequest


class AskedError(Exception):
    """Raised where a test has seen enough."""


@pytest.fixture
def gpus(monkeypatch):
    """Pretend that there are four GPUs, and return the number of the one that is taken, in a list."""
    import_module("likely.training.trainer")  # libraries look for CUDA when they are imported
    taken = [0]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: taken[0])
    monkeypatch.setattr(torch.backends.cuda, "enable_cudnn_sdp", lambda enabled: None)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: taken.__setitem__(0, device))
    return taken


@pytest.fixture
def as_third_rank(gpus, monkeypatch):
    """Pretend that torchrun started this process as its third, beside four GPUs; whoever asks first ends the test."""
    monkeypatch.setenv("LOCAL_RANK", "2")

    def ask(*arguments):
        assert gpus == [2]
        raise AskedError

    for module, name in ((run, "look_around"), (run, "choose_precision"), (precision_here, "choose_precision")):
        monkeypatch.setattr(module, name, ask)


def test_a_process_of_torchrun_takes_its_own_gpu(gpus, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert ready_cuda()
    assert gpus == [3]
    monkeypatch.setenv("LOCAL_RANK", "5")  # more processes than GPUs
    ready_cuda()
    assert gpus == [1]


def test_a_process_of_its_own_stays_where_it_is(gpus, monkeypatch):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    gpus[0] = 1
    ready_cuda()
    assert gpus == [1]


def test_cudnn_does_not_plan_attention_anew_for_every_shape(gpus, monkeypatch):
    told = []
    monkeypatch.setattr(torch.backends.cuda, "enable_cudnn_sdp", told.append)
    ready_cuda()
    assert told == [False]


def test_without_cuda_nothing_is_told(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: pytest.fail("it asked for a GPU"))
    assert not ready_cuda()


def test_weights_go_to_the_gpu_of_their_process(gpus, tiny_base, monkeypatch):
    def load(location, **arguments):
        assert arguments["device_map"] == {"": 2}
        raise AskedError

    monkeypatch.setenv("LOCAL_RANK", "2")
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", load)
    with pytest.raises(AskedError):
        load_base(str(tiny_base), Precision("float32", False), "sdpa")


def test_a_training_takes_its_gpu_before_it_asks_what_the_gpu_can_do(as_third_rank, run_config):
    with pytest.raises(AskedError):
        run.set_up(run_config, None, StopRequest(), lambda answers, users: {}, (), lambda title, text: None)


def test_a_loaded_run_takes_its_gpu_before_it_asks_what_the_gpu_can_do(
    as_third_rank, run_config, tiny_base, monkeypatch
):
    monkeypatch.setattr(loaded_run, "check_adapter_base", lambda folder, name: None)
    with pytest.raises(AskedError):
        LoadedRun.load("nowhere", run_config)


@pytest.fixture
def run_config(tiny_base):
    from likely.config.run_config import RunConfig

    return RunConfig(model_name_or_path=str(tiny_base), output_dir="run", dataset=None, train_file="nowhere.json")
