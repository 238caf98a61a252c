"""The README.md of an exported model: what it answers, and the code that asks it without this package.

Its front matter is what the hub reads of a model card (https://huggingface.co/docs/hub/model-cards).
"""

from collections.abc import Sequence

from likely.data.records import Record
from likely.inference.exporting.plain import Expected


def merged_card(base: str, expected: Expected, records: Sequence[Record]) -> str:
    """Return the page of a merged model, in Markdown.

    Args:
        base: name of its base model.
        expected: labels and their tokens.
        records: that it was checked on, of which one instruction is shown if they have it in common.
    """
    from huggingface_hub import ModelCardData

    front = ModelCardData(base_model=base, library_name="transformers", tags=["recommendation", "likely"])
    yes, no = expected.labels.positive, expected.labels.negative
    instructions = {record.instruction for record in records}
    instruction = instructions.pop() if len(instructions) == 1 else None
    asked = f"`text` is a line of instruction and below it a record's input. {_quoted(instruction)}"
    if any(record.system or record.history for record in records):
        asked = (
            "Its records have a system prompt or earlier turns. They go into `turns`, before the user's; without them "
            f"it is asked something else than it was trained for. {asked}"
        )
    return (
        f"---\n{front.to_yaml()}\n---\n\n"
        f"# A model that answers {yes} or {no}\n\n"
        f"`{base}` with an adapter merged into its weights. How likely the answer {yes} is, is the probability of "
        f"`{yes}` beside that of `{no}` at the first token of the answer.\n\n"
        f"## Asking it\n\nIn the folder of this file, with transformers:\n\n"
        f"```python\n{asking_code(expected)}```\n\n{asked}\n\n"
        "The chat template in this folder has thinking off, and the date that the model was trained with if it writes "
        "one.\n"
    )


def asking_code(expected: Expected) -> str:
    """Return Python code that defines `p_yes(text)` in the folder of a merged model."""
    return f"""import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(".")
model = AutoModelForCausalLM.from_pretrained(".").eval()
yes_no = {list(expected.first_tokens)}  # the first tokens of {expected.labels.positive} and {expected.labels.negative}


def p_yes(text):
    turns = [{{"role": "user", "content": text}}]
    prompt = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    with torch.no_grad():
        logits = model(**prompt.to(model.device)).logits[0, -1, yes_no]
    return logits.softmax(-1)[0].item()
"""


def _quoted(instruction: str | None) -> str:
    if instruction is None:
        return ""
    return "The instruction:\n\n" + "\n".join(f"> {line}" for line in instruction.splitlines())


def gguf_card(base: str, weights: str, expected: Expected) -> str:
    """Return the page of a GGUF file, in Markdown."""
    from huggingface_hub import ModelCardData

    front = ModelCardData(base_model=base, library_name="gguf", tags=["recommendation", "likely"])
    yes, no = expected.labels.positive, expected.labels.negative
    return (
        f"---\n{front.to_yaml()}\n---\n\n# A model that answers {yes} or {no}\n\n"
        f"`{base}` with an adapter merged into its weights, for llama.cpp and Ollama: `{weights}`.\n\n"
        "    ollama create likely -f Modelfile\n\n"
        f"How likely the answer {yes} is, is the probability of token {expected.first_tokens[0]} (`{yes}`) beside "
        f"that of token {expected.first_tokens[1]} (`{no}`) where the answer begins.\n"
    )
