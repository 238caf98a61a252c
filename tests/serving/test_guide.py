"""What docs/guides/serving.md tells people to type works."""

import json
import re
import shlex
import urllib.request
from pathlib import Path

from likely.serving.app import make_app
from servers import running

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "serving.md").read_text(encoding="utf-8")


def test_the_python_and_the_commands_get_their_answers(served, capsys):
    (program,) = re.findall(r"^```python\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    blocks = re.findall(r"(?:^    .*\n)+", GUIDE, re.MULTILINE)
    commands = [shlex.split(block) for block in blocks if block.startswith("    curl")]
    assert [words[1].removeprefix("http://127.0.0.1:8000") for words in commands] == ["/v1/rank", "/v1/score"]
    with running(make_app(served)) as address:
        exec(program.replace("http://127.0.0.1:8000", address), {})
        assert len(capsys.readouterr().out.splitlines()) == 10
        for _, url, _, header, _, body in commands:
            headers = dict([header.split(": ")])
            asked = urllib.request.Request(url.replace("http://127.0.0.1:8000", address), body.encode(), headers)
            assert json.load(urllib.request.urlopen(asked))


def test_the_limits_are_the_ones_that_are_set():
    from likely.serving.served import Limits

    standard = Limits()
    assert f"| {standard.places} requests are under way | `503`" in GUIDE
    assert f"more than {standard.candidates:,} candidates" in GUIDE
    assert f"more than {standard.body_bytes // 1_000_000} MB" in GUIDE
