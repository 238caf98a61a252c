"""Tiny random models of many families, and what is known of each: the table of docs/models.md.

Windows and chunks are shorter than the records that the tests give them, and rows of several records are wider than
the tables of positions, so that whatever goes by a token's place in its row shows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.pytorch_utils import Conv1D

from likely.encoding.prompt import EncodedRecord

VOCABULARY = 300
WINDOW = 8
POSITIONS = 64

Settings = Mapping[str, Any]
ALL = ("tree", "packed", "padded")
PADDED = ("padded",)

COMMON: Settings = {"vocab_size": VOCABULARY, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
LLAMA: Settings = {
    **COMMON,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": POSITIONS,
}
HEADS = {"head_dim": 8}
NO_GROUPS = {"num_key_value_heads": 4}
ONE_WINDOW = {"sliding_window": WINDOW}
WINDOWS = {**ONE_WINDOW, "layer_types": ["sliding_attention", "full_attention"]}
QWEN_WINDOWS = {**ONE_WINDOW, "use_sliding_window": True, "max_window_layers": 1}
LOCAL_EXPERTS = {"num_local_experts": 4, "num_experts_per_tok": 2}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
ROUTED = {
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 16,
    "n_group": 1,
    "topk_group": 1,
    "first_k_dense_replace": 1,
}
LATENT = {
    "kv_lora_rank": 16,
    "q_lora_rank": 16,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 8,
    "v_head_dim": 8,
    **HEADS,
    **NO_GROUPS,
}
CHUNKS = {
    "attention_chunk_size": WINDOW,
    "layer_types": ["chunked_attention", "full_attention"],
    "num_local_experts": 4,
    "intermediate_size_mlp": 48,
    **HEADS,
}
SCALED = {**CHUNKS, "no_rope_layers": [1, 0], "floor_scale": 4, "attn_temperature_tuning": True}
SMALL_INPUTS = {"hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": VOCABULARY, "num_kv_shared_layers": 0}
GEMMA3N = {
    **SMALL_INPUTS,
    "laurel_rank": 8,
    "intermediate_size": [48, 48],
    "activation_sparsity_pattern": [0.5, 0.0],
}
GEMMA4 = {**SMALL_INPUTS, "num_global_key_value_heads": 2, "global_head_dim": 8}
SIGHT = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 4}
GPT: Settings = {**COMMON, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": POSITIONS}
ROTARY_GPT = {**GPT, "rotary_dim": 4}
XGLM: Settings = {
    **COMMON,
    "d_model": 32,
    "ffn_dim": 48,
    "num_layers": 2,
    "attention_heads": 4,
    "max_position_embeddings": POSITIONS,
}
GPT_NEO: Settings = {
    **COMMON,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_layers": 2,
    "num_heads": 4,
    "attention_types": [[["global", "local"], 1]],
    "window_size": WINDOW,
    "max_position_embeddings": POSITIONS,
}
HYBRID = {"layer_types": ["linear_attention", "full_attention"]}
DELTA_NET = {
    **HYBRID,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
}
MAMBA2 = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_state": 8, "mamba_n_groups": 1, "mamba_chunk_size": 8}
STATES: Settings = {**COMMON, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 8}
JAMBA = {
    "attn_layer_period": 2,
    "attn_layer_offset": 1,
    "num_experts": 4,
    "mamba_d_state": 8,
    "mamba_dt_rank": 4,
}
NEMOTRON_H = {
    "layers_block_type": ["mamba", "attention"],
    "mamba_num_heads": 8,
    "mamba_head_dim": 8,
    "ssm_state_size": 8,
    "n_groups": 1,
    "chunk_size": 8,
    **HEADS,
}
ZAMBA2 = {
    "layers_block_type": ["mamba", "hybrid"],
    "attention_head_dim": 16,
    "mamba_d_state": 8,
    "n_mamba_heads": 8,
    "mamba_headdim": 8,
    "mamba_ngroups": 1,
    "num_mem_blocks": 1,
    "chunk_size": 8,
    **NO_GROUPS,
}
RWKV: Settings = {
    **COMMON,
    "hidden_size": 32,
    "attention_hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "context_length": POSITIONS,
}


@dataclass(frozen=True)
class Family:
    """A family of models, tiny.

    Attributes:
        name: as the table has it.
        layers: what they are, in words.
        model_type: transformers' name.
        settings: of its configuration.
        exact: the layouts in which every record's logits are its own.
        chosen: what a run that asks for `tree` gets: a layout, or `refused`.
    """

    name: str
    layers: str
    model_type: str
    settings: Settings
    exact: tuple[str, ...] = ALL
    chosen: str = "tree"

    def build(self) -> PreTrainedModel:
        """Make it, with weights so large that a key too many or too few changes every logit."""
        torch.manual_seed(0)
        config = AutoConfig.for_model(self.model_type, **self.settings)
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config).eval()
        for module in model.modules():
            if isinstance(module, torch.nn.Linear | torch.nn.Embedding | Conv1D):
                torch.nn.init.normal_(module.weight, std=0.2)
        return model

    @property
    def row(self) -> str:
        """Its row of the table in docs/models.md."""
        exact = ", ".join(self.exact) or "none"
        return f"| {self.name} | `{self.model_type}` | {self.layers} | {exact} | {self.chosen} |"


def llama_like(name: str, model_type: str, layers: str, *settings: Settings) -> Family:
    """Return a family whose configuration has Llama's keys and some of its own; exact in every layout."""
    return Family(name, layers, model_type, {key: value for part in (LLAMA, *settings) for key, value in part.items()})


def padded_only(name: str, model_type: str, layers: str, *settings: Settings) -> Family:
    """Return a family whose records each need a row of their own, which is seen before anything is computed."""
    joined = {key: value for part in settings for key, value in part.items()}
    return Family(name, layers, model_type, joined, PADDED, "padded")


FULL, LEARNED, FULL_EXPERTS = "attention", "attention, learned positions", "attention, experts"
WINDOWED, SOME_WINDOWED = "windows", "windows, attention"
LINEAR, SPACE = "linear attention, attention", "state space, attention"

FAMILIES = [
    llama_like("Llama", "llama", FULL),
    llama_like("Qwen2", "qwen2", FULL),
    llama_like("Qwen3", "qwen3", FULL, HEADS),
    llama_like("SmolLM3", "smollm3", FULL),
    llama_like("Gemma", "gemma", FULL, HEADS),
    llama_like("OLMo", "olmo", FULL),
    llama_like("OLMo 2", "olmo2", FULL),
    llama_like("Phi", "phi", FULL),
    llama_like("StableLM", "stablelm", FULL),
    llama_like("Granite", "granite", FULL),
    llama_like("Command R", "cohere", FULL),
    llama_like("GLM", "glm", FULL, HEADS),
    llama_like("GLM 4", "glm4", FULL, HEADS),
    llama_like("Helium", "helium", FULL, HEADS),
    llama_like("Persimmon", "persimmon", FULL),
    llama_like("Nemotron", "nemotron", FULL, HEADS),
    llama_like("ERNIE 4.5", "ernie4_5", FULL),
    llama_like("Seed-OSS", "seed_oss", FULL, HEADS),
    llama_like("Hunyuan", "hunyuan_v1_dense", FULL, HEADS),
    llama_like("Apertus", "apertus", FULL),
    llama_like("nanochat", "nanochat", FULL),
    llama_like("Arcee", "arcee", FULL),
    llama_like("DiffLlama", "diffllama", FULL, NO_GROUPS),
    llama_like("Ministral 3", "ministral3", FULL, HEADS),
    llama_like("GPT-NeoX, Pythia", "gpt_neox", FULL, NO_GROUPS),
    Family("GPT-J", FULL, "gptj", ROTARY_GPT),
    Family("CodeGen", FULL, "codegen", ROTARY_GPT),
    llama_like("Falcon", "falcon", FULL, {"alibi": False}),
    Family("GPT-2", LEARNED, "gpt2", GPT),
    Family("GPT-BigCode", LEARNED, "gpt_bigcode", GPT),
    llama_like("OPT", "opt", LEARNED, {"ffn_dim": 48, "word_embed_proj_dim": 32}),
    llama_like("BioGPT", "biogpt", LEARNED),
    Family("XGLM", FULL, "xglm", XGLM),
    llama_like("Mixtral", "mixtral", FULL_EXPERTS, LOCAL_EXPERTS),
    llama_like("Qwen2-MoE", "qwen2_moe", FULL_EXPERTS, EXPERTS, {"shared_expert_intermediate_size": 16}),
    llama_like("Qwen3-MoE", "qwen3_moe", FULL_EXPERTS, EXPERTS, HEADS),
    llama_like("OLMoE", "olmoe", FULL_EXPERTS, {"num_experts": 4, "num_experts_per_tok": 2}),
    llama_like("Granite-MoE", "granitemoe", FULL_EXPERTS, LOCAL_EXPERTS),
    llama_like("Phi-3.5-MoE", "phimoe", FULL_EXPERTS, LOCAL_EXPERTS),
    llama_like("DeepSeek-V2", "deepseek_v2", FULL_EXPERTS, ROUTED, LATENT, {"topk_method": "greedy"}),
    llama_like("DeepSeek-V3", "deepseek_v3", FULL_EXPERTS, ROUTED, LATENT),
    llama_like("GLM 4.5", "glm4_moe", FULL_EXPERTS, ROUTED, HEADS),
    llama_like("ERNIE 4.5 MoE", "ernie4_5_moe", FULL_EXPERTS, {**EXPERTS, "moe_num_experts": 4, "moe_k": 2}),
    llama_like("MiniMax-M2", "minimax_m2", FULL_EXPERTS, LOCAL_EXPERTS, HEADS),
    llama_like("JetMoE", "jetmoe", FULL_EXPERTS, LOCAL_EXPERTS, {"kv_channels": 8}),
    llama_like("Mistral", "mistral", WINDOWED, ONE_WINDOW),
    llama_like("Mixtral with its window", "mixtral", f"{WINDOWED}, experts", LOCAL_EXPERTS, ONE_WINDOW),
    llama_like("Phi-3", "phi3", WINDOWED, ONE_WINDOW),
    llama_like("StarCoder2", "starcoder2", WINDOWED, ONE_WINDOW),
    llama_like("Qwen3-MoE with windows", "qwen3_moe", f"{WINDOWED}, experts", EXPERTS, QWEN_WINDOWS, HEADS),
    llama_like("Qwen2 with windows", "qwen2", SOME_WINDOWED, QWEN_WINDOWS),
    llama_like("Qwen3 with windows", "qwen3", SOME_WINDOWED, QWEN_WINDOWS, HEADS),
    llama_like("SmolLM3 with windows", "smollm3", SOME_WINDOWED, QWEN_WINDOWS, WINDOWS),
    llama_like("Ministral", "ministral", SOME_WINDOWED, WINDOWS, HEADS),
    llama_like("Gemma 2", "gemma2", SOME_WINDOWED, WINDOWS, HEADS),
    llama_like("Gemma 3, text", "gemma3_text", SOME_WINDOWED, WINDOWS, HEADS),
    Family(
        "Gemma 3",
        SOME_WINDOWED,
        "gemma3",
        {
            "text_config": {**LLAMA, **WINDOWS, **HEADS},
            "vision_config": {**SIGHT, "image_size": 28, "patch_size": 14},
            "mm_tokens_per_image": 4,
        },
    ),
    llama_like("Gemma 3n, text", "gemma3n_text", SOME_WINDOWED, WINDOWS, HEADS, GEMMA3N),
    llama_like("Gemma 4, text", "gemma4_text", SOME_WINDOWED, WINDOWS, HEADS, GEMMA4),
    Family(
        "Gemma 4",
        SOME_WINDOWED,
        "gemma4",
        {
            "text_config": {**LLAMA, **WINDOWS, **HEADS, **GEMMA4},
            "vision_config": {**SIGHT, **NO_GROUPS, **HEADS},
            "audio_config": None,
        },
    ),
    llama_like("VaultGemma", "vaultgemma", SOME_WINDOWED, WINDOWS, HEADS),
    llama_like("OLMo 3", "olmo3", SOME_WINDOWED, WINDOWS),
    llama_like("Command R7B", "cohere2", SOME_WINDOWED, WINDOWS),
    llama_like("EXAONE 4", "exaone4", SOME_WINDOWED, WINDOWS),
    llama_like("Granite with windows", "granite_swa", SOME_WINDOWED, WINDOWS),
    llama_like("CWM", "cwm", SOME_WINDOWED, WINDOWS, HEADS),
    llama_like("gpt-oss", "gpt_oss", f"{SOME_WINDOWED}, experts", WINDOWS, LOCAL_EXPERTS, HEADS),
    llama_like("ModernBERT decoder", "modernbert-decoder", SOME_WINDOWED, WINDOWS),
    llama_like(
        "Llama 4, unscaled", "llama4_text", "chunks, attention, experts", {**CHUNKS, "attn_temperature_tuning": False}
    ),
    padded_only("Llama 4", "llama4_text", "chunks, scaled attention, experts", LLAMA, SCALED),
    padded_only("BLOOM", "bloom", "ALiBi", COMMON, {"hidden_size": 32, "n_layer": 2, "n_head": 4}),
    padded_only("MPT", "mpt", "ALiBi", COMMON, {"d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": POSITIONS}),
    padded_only("Falcon RW", "falcon", "ALiBi", LLAMA, {"alibi": True}),
    padded_only("GPT-Neo", "gpt_neo", "windows, attention, learned positions", GPT_NEO),
    Family("GPT", LEARNED, "openai-gpt", GPT, PADDED, "refused"),
    padded_only(
        "Qwen3-Next",
        "qwen3_next",
        f"{LINEAR}, experts",
        LLAMA,
        DELTA_NET,
        EXPERTS,
        HEADS,
        {"shared_expert_intermediate_size": 16},
    ),
    padded_only("Qwen3.5, text", "qwen3_5_text", LINEAR, LLAMA, DELTA_NET, HEADS),
    Family(
        "Qwen3.5",
        LINEAR,
        "qwen3_5",
        {
            "text_config": {**LLAMA, **DELTA_NET, **HEADS},
            "vision_config": {"depth": 1, "hidden_size": 32, "num_heads": 4, "intermediate_size": 48},
        },
        PADDED,
        "padded",
    ),
    padded_only("OLMo hybrid", "olmo_hybrid", LINEAR, LLAMA, DELTA_NET),
    padded_only(
        "MiniMax", "minimax", f"{LINEAR}, experts", LLAMA, HYBRID, {"num_local_experts": 4, "block_size": 8}, HEADS
    ),
    padded_only("LFM2", "lfm2", "convolutions, attention", LLAMA, {"layer_types": ["conv", "full_attention"]}),
    padded_only("Falcon-H1", "falcon_h1", SPACE, LLAMA, MAMBA2, {"mamba_d_ssm": 64}),
    padded_only("Bamba", "bamba", SPACE, LLAMA, MAMBA2, {"attn_layer_indices": [1]}),
    padded_only("Jamba", "jamba", f"{SPACE}, experts", LLAMA, JAMBA),
    padded_only(
        "Granite 4 hybrid",
        "granitemoehybrid",
        f"{SPACE}, experts",
        LLAMA,
        MAMBA2,
        HYBRID,
        LOCAL_EXPERTS,
        {"shared_intermediate_size": 16},
    ),
    padded_only("Nemotron-H", "nemotron_h", SPACE, LLAMA, NEMOTRON_H),
    padded_only("Zamba2", "zamba2", SPACE, LLAMA, ZAMBA2),
    padded_only("Mamba", "mamba", "state space", STATES),
    padded_only("Mamba 2", "mamba2", "state space", STATES, HEADS, {"num_heads": 8, "n_groups": 1, "chunk_size": 8}),
    padded_only("Falcon Mamba", "falcon_mamba", "state space", STATES),
    padded_only(
        "RecurrentGemma",
        "recurrent_gemma",
        "linear recurrence, windows",
        LLAMA,
        {"attention_window_size": WINDOW, "block_types": ["recurrent", "attention"], "lru_width": 32},
    ),
    padded_only("RWKV", "rwkv", "linear recurrence", RWKV),
    Family("BERT", "attention to later tokens too", "bert", LLAMA, (), "refused"),
]


def family_of(name: str) -> Family:
    """Return the family of a name."""
    return next(family for family in FAMILIES if family.name == name)


def family_records() -> list[EncodedRecord]:
    """Four records longer than any window: three that share a beginning, and one of another user."""
    draw = np.random.default_rng(0)
    trunk = draw.integers(3, VOCABULARY, 34)
    parts = [(34, 6), (31, 6), (24, 6), (0, 12)]
    prompts = [[*trunk[:shared], *draw.integers(3, VOCABULARY, own)] for shared, own in parts]
    return [EncodedRecord(np.array([*prompt, 7], np.int32), (7, 9), liked=True) for prompt in prompts]
