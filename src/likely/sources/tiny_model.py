"""A tiny language model made on the spot: the last resort of the demo, and the base of most tests.

Takes prompts (:func:`chat_prompt`, or any text in ChatML) and writes a model folder like any other: a byte-level BPE
tokenizer learnt from the text, and a Llama of a few hundred thousand weights that has read it. It knows the format and
nothing about taste: the answers it reads are drawn by lot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def chat_prompt(question: str) -> str:
    """Return a question as :data:`CHAT_TEMPLATE` renders it, ready for the assistant's answer."""
    return f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"


@dataclass(frozen=True)
class TinyShape:
    """How large the model is and how long it reads.

    Attributes:
        vocabulary: tokens, special ones included.
        hidden: width; a multiple of 32.
        layers: number of decoder layers.
        steps: optimizer steps of reading; 0 leaves random weights.
        row: tokens of a row of text.
        rows: rows a step.
    """

    vocabulary: int = 1500
    hidden: int = 128
    layers: int = 3
    steps: int = 150
    row: int = 256
    rows: int = 8


def make_tiny_base(folder: Path, prompts: Sequence[str], shape: TinyShape | None = None) -> Path:
    """Learn a tokenizer and pretrain a tiny Llama on chat prompts, which makes the same model every time.

    Args:
        folder: where the model is written.
        prompts: as :func:`chat_prompt` writes them.
        shape: sizes.

    Returns:
        The folder, which `from_pretrained` reads.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = shape or TinyShape()
    tokenizer = learn_tokenizer(prompts, shape.vocabulary)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden,
        intermediate_size=2 * shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.hidden // 32,
        num_key_value_heads=max(shape.hidden // 64, 1),
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    _read(model, _as_one_text(tokenizer, prompts), shape)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def learn_tokenizer(texts: Sequence[str], vocabulary: int) -> "PreTrainedTokenizerFast":
    """Return a byte-level BPE tokenizer learnt from texts, in which `Yes` and `No` are one token each."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*texts, *["Yes", "No"] * 10_000], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=CHAT_TEMPLATE,
    )


def _as_one_text(tokenizer: "PreTrainedTokenizerFast", prompts: Sequence[str]) -> "np.ndarray":
    answers = np.random.default_rng(0).choice(["Yes", "No"], size=len(prompts))
    texts = [f"{prompt}{answer}<|im_end|>\n" for prompt, answer in zip(prompts, answers, strict=True)]
    return np.concatenate([np.array(ids, np.int64) for ids in tokenizer(texts)["input_ids"]])


def _read(model: "LlamaForCausalLM", tokens: "np.ndarray", shape: TinyShape) -> None:
    """Train a model to predict the next token of a text."""
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=max(shape.steps, 1))
    random = np.random.default_rng(0)
    width = min(shape.row, len(tokens))
    for _ in range(shape.steps):
        starts = random.integers(0, len(tokens) - width + 1, size=shape.rows)
        rows = torch.from_numpy(np.stack([tokens[start : start + width] for start in starts]))
        loss = model(input_ids=rows, labels=rows).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    model.eval()
