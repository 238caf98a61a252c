"""`likely render`: the prompt of a record, whole, or cut into what a server's scoring API takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from likely.cli.options import MAIN_RUN, RunFolder
from likely.errors import LikelyError


def render(
    row: Annotated[int, typer.Option(help="Which record of the file, from 1.", min=1)],
    adapter_dir: RunFolder = MAIN_RUN,
    data: Annotated[Path | None, typer.Option(help="Records; by default the run's test file.")] = None,
    split: Annotated[bool, typer.Option("--split", help="A request of SGLang's /v1/score.")] = False,
    ids: Annotated[bool, typer.Option("--ids", help="Token ids in place of text.")] = False,
) -> None:
    """Print the prompt of a record as the run's model reads it."""
    from likely.cli.prompts import prompt_builder
    from likely.data.run_data import held_out_records
    from likely.encoding.split import as_texts, split_prompts
    from likely.inference.loaded_run import config_of
    from likely.model.runtime import ready_process
    from likely.report.console import printable

    config = config_of(adapter_dir)
    records = held_out_records(config, data, None)
    if row > len(records):
        raise LikelyError(f"--row {row} is none of the {len(records):,} records; choose one of them, from 1.")
    record = records[row - 1]
    ready_process()
    builder = prompt_builder(config, config.cutoff_len)
    if not split:
        encoded = builder.encode(record)
        prompt = encoded.prompt_ids.tolist()
        text = builder.render(record)
        if encoded.dropped_lines:  # then the text of the record is more than the model reads
            text = str(builder.tokenizer.decode(prompt, clean_up_tokenization_spaces=False))
        typer.echo(json.dumps(prompt) if ids else printable(text))
        return
    neighbours = [other for other in records if other.user_id == record.user_id and other is not record]
    parts = split_prompts(builder, [record], neighbours)
    query, items = (parts.query_ids, parts.items_ids) if ids else as_texts(builder, parts)
    request = {
        "query": query,
        "items": items,
        "label_token_ids": list(builder.first_tokens),
        "apply_softmax": True,
        "item_first": False,
    }
    indent = None if ids else 2
    readable = json.dumps(request, indent=indent, ensure_ascii=False)
    # What cannot be printed as it is comes in escapes, for nothing may be missing of a prompt.
    typer.echo(readable if printable(readable) == readable else json.dumps(request, indent=indent))
