"""Runs an app on an address until it is told to stop; then it takes no more requests and finishes those under way."""

import ipaddress
import socket

import uvicorn
from fastapi import FastAPI

from likely.errors import LikelyError

DRAIN_SECONDS = 60
"""How long requests under way may take after SIGTERM."""


def check_host(host: str, api_key: str | None) -> None:
    """Check that nobody from elsewhere is let in without a key.

    Raises:
        LikelyError: the address is not of this machine alone and there is no key, or the key cannot be sent.
    """
    if api_key is not None and not (api_key.isascii() and api_key.isprintable() and api_key.strip() == api_key != ""):
        raise LikelyError("--api-key has to be of printable ASCII characters, without spaces around them.")
    if api_key is None and not is_loopback(host):
        raise LikelyError(
            f"--host {host} lets other machines in; add --api-key, or leave --host out to serve this machine only."
        )


def is_loopback(host: str) -> bool:
    """Return whether an address is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that is bound, before anything large is loaded; port 0 takes any free one.

    Raises:
        LikelyError: it cannot be.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise LikelyError(
            f"Port {port} of {host} cannot be served ({error.strerror}); choose another with --port."
        ) from error


def address_of(bound: socket.socket) -> str:
    """Return the address of a bound socket as a browser takes it."""
    host, port = bound.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def run_server(app: FastAPI, bound: socket.socket) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    config = uvicorn.Config(
        app, log_level="warning", lifespan="on", server_header=False, timeout_graceful_shutdown=DRAIN_SECONDS
    )
    uvicorn.Server(config).run(sockets=[bound])
