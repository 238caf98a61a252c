"""Tiny random models of many architectures, and what is known of each: the table behind docs/models.md.

Windows and chunks are shorter than the records that the tests give them, and rows of several records are wider than
the tables of positions, so that whatever goes by a token's place in its row shows.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from likely.encoding.prompt import EncodedRecord

VOCABULARY = 300
WINDOW = 8
POSITIONS = 64

ALL = ("tree", "packed", "padded")
PADDED = ("padded",)

COMMON: dict[str, Any] = {"vocab_size": VOCABULARY, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
LLAMA: dict[str, Any] = COMMON | {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": POSITIONS,
}
GPT: dict[str, Any] = COMMON | {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": POSITIONS}
WINDOWED = {"sliding_window": WINDOW, "layer_types": ["sliding_attention", "full_attention"]}
HYBRID = {"layer_types": ["linear_attention", "full_attention"]}
LINEAR = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
ROUTED = {"n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "n_group": 1, "topk_group": 1}
LATENT = {
    "num_key_value_heads": 4,
    "kv_lora_rank": 16,
    "q_lora_rank": 16,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 8,
    "v_head_dim": 8,
    "head_dim": 8,
}
MAMBA2 = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_state": 8, "mamba_n_groups": 1, "mamba_chunk_size": 8}


@dataclass(frozen=True)
class Family:
    """An architecture, tiny.

    Attributes:
        model_type: transformers' name.
        settings: of its configuration.
        exact: the layouts in which every record's logits are its own.
        kind: what its layers are, for the table of docs/models.md.
        chosen: what `choose_layout` makes of `tree`; `refused` where only the self-check knows better.
    """

    model_type: str
    settings: dict[str, Any]
    kind: str
    exact: tuple[str, ...] = ALL
    variant: str = field(default="", kw_only=True)

    @property
    def name(self) -> str:
        """Its name in the tests and in the table."""
        return f"{self.model_type} ({self.variant})" if self.variant else self.model_type

    def build(self, seed: int = 0) -> PreTrainedModel:
        """Make it, with weights large enough that a key too many or too few changes every logit."""
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(self.model_type, **self.settings)).eval()
        for module in model.modules():
            if isinstance(module, torch.nn.Linear | torch.nn.Embedding):
                torch.nn.init.normal_(module.weight, std=0.2)
        return model


def dense(model_type: str, kind: str = "full attention", **settings: Any) -> Family:
    return Family(model_type, LLAMA | settings, kind)


FAMILIES = [
    dense("llama"),
    dense("qwen2"),
    dense("qwen3", head_dim=8),
    dense("smollm3"),
    dense("gemma", head_dim=8),
    dense("olmo"),
    dense("olmo2"),
    dense("phi"),
    dense("stablelm"),
    dense("granite"),
    dense("cohere"),
    dense("glm", head_dim=8),
    dense("glm4", head_dim=8),
    dense("helium", head_dim=8),
    dense("persimmon"),
    dense("nemotron", head_dim=8),
    dense("ernie4_5"),
    dense("seed_oss", head_dim=8),
    dense("hunyuan_v1_dense", head_dim=8),
    dense("apertus"),
    dense("nanochat"),
    dense("arcee"),
    dense("diffllama", num_key_value_heads=4),
    dense("gpt_neox", num_key_value_heads=4),
    Family("gptj", GPT | {"rotary_dim": 4}, "full attention"),
    Family("codegen", GPT | {"rotary_dim": 4}, "full attention"),
    Family("falcon", LLAMA | {"alibi": False, "new_decoder_architecture": False}, "full attention", variant="rotary"),
    Family("gpt2", GPT, "full attention, learned positions"),
    Family("gpt_bigcode", GPT, "full attention, learned positions"),
    Family("opt", LLAMA | {"ffn_dim": 48, "word_embed_proj_dim": 32}, "full attention, learned positions"),
    Family("biogpt", LLAMA, "full attention, learned positions"),
    Family("xglm", COMMON | {"d_model": 32, "ffn_dim": 48, "num_layers": 2, "attention_heads": 4, "max_position_embeddings": POSITIONS}, "full attention, table of positions"),
    dense("mixtral", "full attention, experts", num_local_experts=4, sliding_window=None),
    dense("qwen2_moe", "full attention, experts", shared_expert_intermediate_size=16, **EXPERTS),
    dense("qwen3_moe", "full attention, experts", head_dim=8, **EXPERTS),
    dense("olmoe", "full attention, experts", num_experts=4, num_experts_per_tok=2),
    dense("granitemoe", "full attention, experts", num_local_experts=4, num_experts_per_tok=2),
    dense("phimoe", "full attention, experts", num_local_experts=4, sliding_window=None),
    dense("deepseek_v2", "latent attention, experts", first_k_dense_replace=1, n_shared_experts=1, topk_method="greedy", **ROUTED, **LATENT),
    dense("deepseek_v3", "latent attention, experts", first_k_dense_replace=1, n_shared_experts=1, **ROUTED, **LATENT),
    dense("glm4_moe", "full attention, experts", first_k_dense_replace=1, head_dim=8, **ROUTED),
    dense("ernie4_5_moe", "full attention, experts", moe_num_experts=4, moe_k=2, moe_intermediate_size=16),
    dense("minimax_m2", "full attention, experts", num_local_experts=4, num_experts_per_tok=2, head_dim=8),
    dense("jetmoe", "full attention, experts", num_local_experts=4, kv_channels=8),
    dense("mistral", "window in all layers", sliding_window=WINDOW),
    dense("ministral", "window in some layers", head_dim=8, **WINDOWED),
    dense("ministral3", "full attention"),
    dense("mixtral", "window in all layers, experts", num_local_experts=4, sliding_window=WINDOW),
    dense("phi3", "window in all layers", sliding_window=WINDOW),
    dense("starcoder2", "window in all layers", sliding_window=WINDOW),
    dense("qwen2", "window in some layers", use_sliding_window=True, max_window_layers=1, sliding_window=WINDOW),
    dense("qwen3", "window in some layers", use_sliding_window=True, max_window_layers=1, sliding_window=WINDOW, head_dim=8),
    dense("qwen3_moe", "window in all layers, experts", use_sliding_window=True, sliding_window=WINDOW, head_dim=8, **EXPERTS),
    dense("gemma2", "window in some layers", head_dim=8, **WINDOWED),
    dense("gemma3_text", "window in some layers", head_dim=8, **WINDOWED),
    dense("gemma3n_text", "window in some layers", head_dim=8, **WINDOWED),
    dense("gemma4_text", "window in some layers", head_dim=8, **WINDOWED),
    dense("vaultgemma", "window in some layers", head_dim=8, **WINDOWED),
    dense("olmo3", "window in some layers", **WINDOWED),
    dense("cohere2", "window in some layers", **WINDOWED),
    dense("exaone4", "window in some layers", **WINDOWED),
    dense("smollm3", "window in some layers", use_sliding_window=True, **WINDOWED),
    dense("granite_swa", "window in some layers", **WINDOWED),
    dense("cwm", "window in some layers", head_dim=8, **WINDOWED),
    dense("gpt_oss", "window in some layers, experts", num_local_experts=4, head_dim=8, **WINDOWED),
    dense("modernbert-decoder", "window in some layers", **WINDOWED),
    dense("llama4_text", "chunks in some layers, experts", attention_chunk_size=WINDOW, layer_types=["chunked_attention", "full_attention"], num_local_experts=4, intermediate_size_mlp=48, head_dim=8, attn_temperature_tuning=False),
    Family("llama4_text", LLAMA | dict(attention_chunk_size=WINDOW, layer_types=["chunked_attention", "full_attention"], num_local_experts=4, intermediate_size_mlp=48, head_dim=8, no_rope_layers=[1,0], floor_scale=4, attn_temperature_tuning=True), "attention scaled", PADDED),
    Family("bloom", COMMON | {"hidden_size": 32, "n_layer": 2, "n_head": 4}, "ALiBi", PADDED),
    Family("mpt", COMMON | {"d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": POSITIONS}, "ALiBi", PADDED),
    Family("falcon", LLAMA | {"alibi": True, "new_decoder_architecture": False}, "ALiBi", PADDED, variant="ALiBi"),
    Family("gpt_neo", COMMON | {"hidden_size": 32, "num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]], "window_size": WINDOW, "max_position_embeddings": POSITIONS, "intermediate_size": 48}, "window, learned positions", PADDED),
    Family("openai-gpt", GPT, "learned positions", PADDED),
    Family("qwen3_next", LLAMA | HYBRID | LINEAR | EXPERTS | {"head_dim": 8, "shared_expert_intermediate_size": 16}, "linear attention, experts", PADDED),
    Family("qwen3_5_text", LLAMA | HYBRID | LINEAR | {"head_dim": 8}, "linear attention", PADDED),
    Family("lfm2", LLAMA | {"layer_types": ["conv", "full_attention"], "block_multiple_of": 8}, "convolutions", PADDED),
    Family("falcon_h1", LLAMA | MAMBA2 | {"mamba_d_ssm": 64}, "state space", PADDED),
    Family("bamba", LLAMA | MAMBA2 | {"attn_layer_indices": [1]}, "state space", PADDED),
    Family("jamba", LLAMA | {"attn_layer_period": 2, "attn_layer_offset": 1, "num_experts": 4, "mamba_d_state": 8, "mamba_dt_rank": 4}, "state space, experts", PADDED),
    Family("granitemoehybrid", LLAMA | MAMBA2 | {"layer_types": ["linear_attention", "full_attention"], "num_local_experts": 4, "num_experts_per_tok": 2, "shared_intermediate_size": 16}, "state space, experts", PADDED),
    Family("nemotron_h", LLAMA | {"layers_block_type": ["mamba", "attention"], "head_dim": 8, "mamba_num_heads": 8, "mamba_head_dim": 8, "ssm_state_size": 8, "n_groups": 1, "chunk_size": 8}, "state space", PADDED),
    Family("minimax", LLAMA | HYBRID | {"num_local_experts": 4, "head_dim": 8, "block_size": 8}, "linear attention, experts", PADDED),
    Family("recurrent_gemma", LLAMA | {"attention_window_size": WINDOW, "block_types": ["recurrent", "attention"], "lru_width": 32}, "linear recurrence", PADDED),
    Family("olmo_hybrid", LLAMA | HYBRID | LINEAR, "linear attention", PADDED),
    Family("mamba", COMMON | {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 8}, "state space", PADDED),
    Family("mamba2", COMMON | {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 8, "num_heads": 8, "head_dim": 8, "n_groups": 1, "chunk_size": 8}, "state space", PADDED),
    Family("falcon_mamba", COMMON | {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 8}, "state space", PADDED),
    Family("zamba2", LLAMA | {"layers_block_type": ["mamba", "hybrid"], "num_key_value_heads": 4, "attention_head_dim": 16, "mamba_d_state": 8, "n_mamba_heads": 8, "mamba_headdim": 8, "chunk_size": 8, "mamba_ngroups": 1, "num_mem_blocks": 1}, "state space", PADDED),
    Family("rwkv", COMMON | {"hidden_size": 32, "attention_hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 48, "context_length": POSITIONS}, "linear recurrence", PADDED),
    Family("bert", LLAMA | {"is_decoder": False}, "sees later tokens", ()),
]


def family_records(seed: int = 0) -> list[EncodedRecord]:
    """Four records longer than any window: three of one beginning, and one of another user."""
    draw = np.random.default_rng(seed)
    trunk = draw.integers(3, VOCABULARY, 34)
    prompts = [[*trunk[:cut], *draw.integers(3, VOCABULARY, tail)] for cut, tail in ((34, 6), (31, 6), (24, 6), (0, 12))]
    return [EncodedRecord(np.array([*prompt, 7], np.int32), (7, 9), liked=True) for prompt in prompts]
