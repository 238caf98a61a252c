"""Two devices train what one trains: the same steps, losses and weights. Processes stand in for GPUs."""

import json
import os
import socket
import subprocess
import sys

import pytest
import torch
import yaml
from safetensors.torch import load_file

from likely.data.records import write_records


def train_on(devices, config):
    """Run the command in one process a device, on loopback alone, and return what they print together."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    group = {"WORLD_SIZE": str(devices), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "GLOO_SOCKET_IFNAME": "lo"}
    command = [sys.executable, "-m", "likely", "train", "--config", str(config)]
    processes = []
    for rank in map(str, range(devices)):
        own = {**os.environ, "OMP_NUM_THREADS": "1"}
        own |= {**group, "RANK": rank, "LOCAL_RANK": rank} if devices > 1 else {}
        processes.append(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=own)
        )
    said = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * devices, said
    return "".join(said)


@pytest.mark.slow
def test_two_devices_end_with_the_weights_of_one(tmp_path, tiny_base, records):
    rows = [{"instruction": r.instruction, "input": r.input, "output": r.output, "user_id": r.user_id} for r in records]
    write_records(tmp_path / "data.json", rows)
    ended = {}
    for devices in (1, 2):
        values = {
            "model_name_or_path": str(tiny_base),
            "dataset": None,
            "train_file": str(tmp_path / "data.json"),
            "eval_file": str(tmp_path / "data.json"),
            "output_dir": str(tmp_path / f"on-{devices}"),
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
        }
        (tmp_path / "run.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
        said = train_on(devices, tmp_path / "run.yaml")
        folder = tmp_path / f"on-{devices}"
        assert said.count("Trained") == 1
        assert len(list((folder / "logs").glob("*/events.*"))) == 1
        weights = load_file(folder / "checkpoint-10" / "adapter_model.safetensors")
        ended[devices] = (weights, json.loads((folder / "metrics.json").read_text())["log"])
    (one, log_of_one), (two, log_of_two) = ended[1], ended[2]
    assert all(torch.allclose(two[name], one[name], atol=1e-5) for name in one)
    for name in ("loss", "eval_loss", "eval_auc"):
        curves = [[entry[name] for entry in log if name in entry] for log in (log_of_one, log_of_two)]
        assert curves[0]
        assert curves[1] == pytest.approx(curves[0], rel=1e-4)
