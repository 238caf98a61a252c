"""The tiny model is one like any other."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from likely.model.base import load_tokenizer
from likely.sources.tiny_model import chat_prompt


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="utf-8")))
def test_a_prompt_is_what_the_models_own_template_renders(tiny_base, question):
    tokenizer = load_tokenizer(str(tiny_base))
    turns = [{"role": "user", "content": question}]
    rendered = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    assert chat_prompt(question) == rendered
