"""Two devices train what one trains: the same steps, losses and weights. Processes stand in for GPUs."""

import json
import re
import signal
import socket
import time

import pytest
import torch
import yaml
from safetensors.torch import load_file

from likely.cli import run
from likely.data.records import write_records
from processes import start
from support import rows_of


def start_on(devices, config, *arguments):
    """Run the command in one process a device, on loopback alone, and return the processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    group = {"WORLD_SIZE": str(devices), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "GLOO_SOCKET_IFNAME": "lo"}
    started = []
    for rank in map(str, range(devices)):
        own = {**group, "RANK": rank, "LOCAL_RANK": rank} if devices > 1 else {}
        output = config.with_name(f"said-{port}-{rank}.txt")
        started.append(start(["train", "--config", str(config), *arguments], own, output))
    return started


def ended(started):
    """Return what processes print together, and how they end."""
    ends = [process.ended() for process in started]
    return " ".join("".join(said for said, _ in ends).split()), [status for _, status in ends]


def train_on(devices, config, *arguments):
    said, status = ended(start_on(devices, config, *arguments))
    assert status == [0] * devices, said
    return said


def values_for(tiny_base, data, output_dir, devices):
    return {
        "model_name_or_path": str(tiny_base),
        "dataset": None,
        "train_file": str(data),
        "eval_file": str(data),
        "output_dir": str(output_dir),
        "cutoff_len": 512,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 4 // devices,
        "num_train_epochs": 2,
        "learning_rate": 5e-3,
        "eval_steps": 5,
        "early_stopping_patience": None,
        "lora_rank": 4,
        "lora_dropout": 0.0,
        "logging_steps": 1,
        "lr_scheduler_type": "constant",
    }


@pytest.mark.slow
def test_two_devices_end_with_the_weights_of_one(tmp_path, tiny_base, records):
    """Each epoch ends with a step of a single record, and the two are resumed in the middle of the second."""
    write_records(tmp_path / "data.json", rows_of(records[:33]))
    trained = {}
    for devices in (1, 2):
        values = values_for(tiny_base, tmp_path / "data.json", tmp_path / f"on-{devices}", devices)
        (tmp_path / "run.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
        folder = tmp_path / f"on-{devices}"
        if devices > 1:
            assert train_on(devices, tmp_path / "run.yaml", "max_steps=7").count("Trained") == 1
            assert len(list((folder / "logs").glob("*/events.*"))) == 1
        train_on(devices, tmp_path / "run.yaml", *(["--resume"] if devices > 1 else []))
        weights = load_file(folder / "checkpoint-10" / "adapter_model.safetensors")
        trained[devices] = (weights, json.loads((folder / "metrics.json").read_text())["log"])
    (one, log_of_one), (two, log_of_two) = trained[1], trained[2]
    assert all(torch.allclose(two[name], one[name], atol=1e-5) for name in one)
    for name in ("loss", "eval_loss", "eval_auc"):
        curves = [{entry["step"]: entry[name] for entry in log if name in entry} for log in (log_of_one, log_of_two)]
        alone, both = curves
        assert alone
        assert {step: both[step] for step in alone} == pytest.approx(alone, rel=1e-4)


@pytest.mark.slow
def test_what_two_devices_meet_is_said_once_and_a_request_to_one_stops_both(tmp_path, tiny_base, records, capsys):
    write_records(tmp_path / "data.json", rows_of(records))
    config, folder = tmp_path / "run.yaml", tmp_path / "run"
    values = values_for(tiny_base, tmp_path / "data.json", folder, 2)
    config.write_text(yaml.safe_dump({**values, "num_train_epochs": 100}), encoding="utf-8")
    processes = start_on(2, config)
    while not (folder / "checkpoint-5").exists():
        assert all(process.alive() for process in processes), ended(processes)
        time.sleep(0.01)
    processes[1].send(signal.SIGTERM)
    said, status = ended(processes)
    assert status == [143, 143], said
    step = int(re.search(r"Stopped after step (\d+) of 500", said)[1])
    assert said.count("Stopped after") == 1
    checkpoint = folder / f"checkpoint-{step}"
    assert {"rng_state_0.pth", "rng_state_1.pth"} <= {path.name for path in checkpoint.iterdir()}

    said, status = ended(start_on(2, config, "--resume", "seed=1"))
    assert status == [2, 2], said
    assert said.count("likely:") == said.count("seed: 42 -> 1") == 1
    assert "Traceback" not in said

    capsys.readouterr()
    (checkpoint / "rng_state_1.pth").unlink()
    on_one = ["gradient_accumulation_steps=4", "max_minutes=0.001"]  # the time is up, so it takes no further step
    assert run(["train", "--config", str(config), "--resume", *on_one]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"checkpoint-{step} is skipped: rng_state_1.pth is missing." in said
    assert "2 -> 1 processes" in said
