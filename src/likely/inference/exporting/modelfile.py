"""Ollama's Modelfile of an exported model (https://docs.ollama.com/modelfile), so that it reads the run's prompts.

Ollama does not run a model's own chat template but a Go template; what the run's writes around a question goes there.
"""

from pathlib import Path

from likely.encoding.chat_template import ChatTemplate
from likely.inference.exporting.plain import Expected

SYSTEM, PROMPT = "{{ .System }}", "{{ .Prompt }}"


def modelfile(merged: Path, weights: str, expected: Expected) -> str:
    """Return a Modelfile.

    Args:
        merged: folder of the merged model, for its tokenizer.
        weights: name of the GGUF file beside it.
        expected: labels of the run.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(merged)
    template = go_template(ChatTemplate(tokenizer))
    bos = tokenizer.bos_token
    if bos and tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id:  # then Ollama puts it there too
        template = template.replace(bos, "")
    longest = max(
        len(tokenizer(label, add_special_tokens=False)["input_ids"]) for label in vars(expected.labels).values()
    )
    return f'FROM ./{weights}\nTEMPLATE """{template}"""\nPARAMETER temperature 0\nPARAMETER num_predict {longest}\n'


def go_template(chat: ChatTemplate) -> str:
    """Return the Go template that writes the prompts of an exported chat template: a question, and a system prompt."""
    asked = chat.render(chat.turns("", (), PROMPT), answered=False)
    told = chat.render(chat.turns(SYSTEM, (), PROMPT), answered=False)
    return f"{{{{ if .System }}}}{told}{{{{ else }}}}{asked}{{{{ end }}}}"
