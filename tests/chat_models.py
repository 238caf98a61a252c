"""Small tokenizers of every kind that chat models have, and chat templates in the style of their families."""

import json
from functools import cache

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from support import make_record

SPECIAL = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|user|>", "<|assistant|>"]
THINKING = ["<think>", "</think>"]  # added, but not special

TEMPLATES = {
    "chatml": (
        "{% if messages[0].role != 'system' %}<|im_start|>system\nYou help.<|im_end|>\n{% endif %}"
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
    "thinking": (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n"
        "{% if m.role == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}{{ m.content }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
        "{% if not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
    ),
    "opens a thought": (  # closed by the finished conversation only
        "{% for m in messages %}<|im_start|>{{ m.role }}\n"
        "{% if m.role == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}{{ m.content }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
    ),
    "llama-2": (
        "{% for m in messages %}{% if m.role == 'system' %}{% elif m.role == 'user' %}"
        "{{ bos_token + '[INST] ' }}{% if loop.previtem and loop.previtem.role == 'system' %}"
        "{{ '<<SYS>>\n' + loop.previtem.content + '\n<</SYS>>\n\n' }}{% endif %}{{ m.content.strip() + ' [/INST]' }}"
        "{% else %}{{ ' ' + m.content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
    ),
    "mistral": (
        "{{ bos_token }}{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('Roles have to alternate') }}{% endif %}"
        "{{ '[INST] ' + m.content + ' [/INST]' if m.role == 'user' else m.content + eos_token + ' ' }}{% endfor %}"
    ),
    "zephyr": (
        "{% for m in messages %}\n{{ '<|' + m.role + '|>\n' + m.content + eos_token }}\n"
        "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}"
    ),
    "gemma": (
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}"
        "{{ raise_exception('There is no system role') }}{% endif %}"
        "<|im_start|>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content | trim }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>model\n{% endif %}"
    ),
    "leaves the system out": (
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ '[INST] ' + m.content + '[/INST]' }}"
        "{% elif m.role == 'assistant' %}{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}"
    ),
    "dated": (
        "{% set day = strftime_now('%d %b %Y') if strftime_now is defined else '26 Jul 2024' %}"
        "{{ bos_token }}<|im_start|>system\nToday: {{ day }}\n\n{% if messages[0].role == 'system' %}"
        "{{ messages[0].content | trim }}{% set messages = messages[1:] %}{% endif %}<|im_end|>"
        "{% for m in messages %}<|im_start|>{{ m.role }}\n\n{{ m.content | trim }}<|im_end|>{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n\n{% endif %}"
    ),
}
WITHOUT_SYSTEM = ("mistral", "gemma", "leaves the system out")


def texts():
    """What the tokenizers are learnt from."""
    for user in range(8):
        record = make_record(user, 7)
        yield from (record.instruction, *record.input.split("\n"), "user", "assistant", "system", "[INST] [/INST]")
    yield from ["Yes", "No", " Yes", " No", "▁Yes", "▁No", "a).\n/b"] * 200


def byte_level(pattern=None):
    """GPT-2's kind, or with a pattern of its own the kind that came after."""
    tokenizer = Tokenizer(models.BPE())
    bytes_of = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern is None)
    split = [pre_tokenizers.Split(Regex(pattern), "isolated")] if pattern else []
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*split, bytes_of])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=700, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts(), trainer)
    return tokenizer


def slashes():
    """Byte-level with a pattern by which a line end and the slash after it belong to the punctuation before it."""
    return byte_level(r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def sentencepiece(normalizer=None, pre_tokenizer=None, newlines=False):
    """SentencePiece's BPE: spaces become ▁, one before the text, and bytes stand in for what is unknown."""
    learning = Tokenizer(models.BPE(unk_token="<unk>"))
    learning.pre_tokenizer = pre_tokenizers.Metaspace()
    learning.train_from_iterator(
        texts(), trainers.BpeTrainer(vocab_size=500, special_tokens=SPECIAL, show_progress=False)
    )
    # Some conversions have merges by which the letters of a control token become that token.
    merges = [*map(tuple, _model(learning)["merges"]), ("<", "/"), ("</", "s"), ("</s", ">")]
    learnt = learning.get_vocab()  # in another order in each process
    pieces = [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), "<", "</", "</s", "/", ">"]
    pieces += sorted(learnt, key=lambda piece: learnt[piece])
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.add_special_tokens(SPECIAL)
    if newlines:
        tokenizer.add_tokens([AddedToken("\n" * count, normalized=False) for count in (3, 2, 1)])
    if normalizer:
        tokenizer.normalizer = normalizer
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    return tokenizer


def prepending():
    """As Llama-2's was first converted: by normalizers, after every special token anew."""
    return sentencepiece(normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]))


def metaspace():
    """As Llama-2's is loaded today: a ▁ before the first piece only."""
    return sentencepiece(pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme="first", split=False))


def newline_tokens():
    """Gemma's kind: no ▁ before the text, and line ends are added tokens."""
    split = pre_tokenizers.Split(" ", "merged_with_previous")
    return sentencepiece(normalizers.Replace(" ", "▁"), split, newlines=True)


def unigram():
    """SentencePiece's other model, which would read the letters of `</s>` as that token."""
    learning = Tokenizer(models.Unigram())
    learning.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=400, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False)
    learning.train_from_iterator(texts(), trainer)
    pieces = [(piece, score) for piece, score in _model(learning)["vocab"]]
    pieces += [(f"<0x{byte:02X}>", 0.0) for byte in range(256)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=True))
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(split=False)
    return tokenizer


KINDS = {kind.__name__: kind for kind in (byte_level, slashes, prepending, metaspace, newline_tokens, unigram)}


def chat_tokenizer(kind, template, **settings):
    """Return a tokenizer of a kind with a template; called by itself, it puts <s> before a text."""
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(_rules(kind)),
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        additional_special_tokens=SPECIAL[3:],
        chat_template=TEMPLATES.get(template, template),
        **settings,
    )
    assert tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id
    return tokenizer


@cache
def _rules(kind):
    tokenizer = KINDS[kind]()
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in THINKING])
    bos = ("<s>", tokenizer.token_to_id("<s>"))
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[bos])
    return tokenizer.to_str()


def _model(tokenizer):
    return json.loads(tokenizer.to_str())["model"]
