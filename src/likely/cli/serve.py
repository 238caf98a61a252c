"""`likely serve`: a finished run on a page and over HTTP."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

import typer

from likely.cli.options import MAIN_RUN, RunFolder
from likely.errors import LikelyError

NEEDED = ("fastapi", "uvicorn", "prometheus_client")
"""Packages of the extra `serve`."""


def serve(
    adapter_dir: RunFolder = MAIN_RUN,
    host: Annotated[str, typer.Option(help="Address; any but this machine's own needs --api-key.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = 8000,
    api_key: Annotated[str | None, typer.Option(help="Key that clients have to send.")] = None,
    places: Annotated[int, typer.Option(help="Requests under way at once; more get 503.", min=1)] = 64,
    together: Annotated[int, typer.Option(help="Requests computed together at most.", min=1)] = 32,
    max_candidates: Annotated[int, typer.Option(help="Candidates of one request; more get 413.", min=1)] = 2000,
) -> None:
    """Serve a finished run: a page to try it on, and rankings, predictions and SGLang's scoring API over HTTP."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise LikelyError(f"likely serve needs {', '.join(missing)}; install with: pip install {' '.join(NEEDED)}")
    from likely.report.console import SafeConsole
    from likely.serving.server import address_of, check_host, listen, run_server

    check_host(host, api_key)
    bound = listen(host, port)
    console = SafeConsole()
    from likely.cli.progress import print_notes
    from likely.model.runtime import ready_process

    ready_process()
    from likely.serving.app import make_app
    from likely.serving.served import Limits, Served

    with bound:
        with console.status("  loading the model"):
            served = Served.load(adapter_dir, Limits(places, together, max_candidates))
        said = f"Serving {adapter_dir} at {address_of(bound)}  (Ctrl-C ends it)"
        print_notes(console, served.run.notes)
        console.print(said, markup=False, highlight=False, soft_wrap=True)
        run_server(make_app(served, api_key), bound)
