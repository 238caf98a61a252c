"""A model read from a GGUF file is written as a plain folder, the same model."""

import json
from functools import reduce

import torch

from likely.sources.gguf import convert_gguf, plain_copy


def test_a_plain_copy_has_the_same_weights_and_can_be_saved(tiny_base, tmp_path):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_base)
    copy = plain_copy(model)
    copy.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    ids = torch.arange(10)[None]
    assert torch.equal(model(ids).logits, again(ids).logits)


GGUF_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "model.layers": "blk",
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
}
"""What llama.cpp calls the parts of a Llama."""


def write_gguf(folder, path):
    """Write a Llama as llama.cpp's converter does, which turns each head's rotary halves into pairs."""
    from gguf import GGUFWriter, TokenType
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    config, writer = model.config, GGUFWriter(path, "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    words = json.loads((folder / "tokenizer.json").read_text())["model"]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokenizer.convert_ids_to_tokens(range(len(tokenizer))))
    control = set(tokenizer.get_added_vocab().values())
    writer.add_token_types([TokenType.CONTROL if n in control else TokenType.NORMAL for n in range(len(tokenizer))])
    writer.add_token_merges([" ".join(pair) for pair in words["merges"]])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_chat_template(tokenizer.chat_template)
    for name, weight in model.named_parameters():
        heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}.get(name.split(".")[-2])
        values = weight.detach()
        if heads:
            values = values.reshape(heads, 2, -1, config.hidden_size).transpose(1, 2).reshape(values.shape)
        renamed = reduce(lambda known, pair: known.replace(*pair), GGUF_NAMES.items(), name)
        writer.add_tensor(renamed, values.contiguous().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_a_gguf_file_becomes_a_folder_of_the_same_model(tiny_base, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    write_gguf(tiny_base, tmp_path / "tiny.gguf")
    convert_gguf(tmp_path / "tiny.gguf", tmp_path / "folder")
    one, other = (AutoModelForCausalLM.from_pretrained(folder) for folder in (tiny_base, tmp_path / "folder"))
    assert other.dtype == torch.float16
    ids = torch.arange(20)[None]
    assert (one(ids).logits - other.float()(ids).logits).abs().max() < 1e-2 * one(ids).logits.std()
    reads = [AutoTokenizer.from_pretrained(folder) for folder in (tiny_base, tmp_path / "folder")]
    turns = [{"role": "user", "content": "History, oldest first: rated 4.5"}]
    said = [each.apply_chat_template(turns, add_generation_prompt=True)["input_ids"] for each in reads]
    assert said[0] == said[1]
    assert {each.eos_token for each in reads} == {"<|im_end|>"}
