"""What stands before the app: a limit to what a request may send, headers that keep the page to itself, and the key."""

import hmac

from fastapi import HTTPException, Request, status
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}
"""Of every answer: the page runs its own scripts only, speaks to this server only, and is in nobody's frame."""


class SafeHeaders:
    """Adds :data:`HEADERS` to every answer of an app."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before an app."""
        self._app = app
        self._headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *self._headers]
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


class BodyLimit:
    """Refuses a request whose body is too long, before it is read where it says so, and else while it is.

    Args:
        app: what answers.
        most: bytes.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        """Stand before an app."""
        self._app, self._most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sentence = f"The body has more than {self._most:,} bytes, the most of one request; send several."
        declared = dict(scope["headers"]).get(b"content-length", b"")
        if declared.isdigit() and int(declared) > self._most:
            refusal = JSONResponse({"detail": sentence}, status.HTTP_413_CONTENT_TOO_LARGE)
            await refusal(scope, receive, send)
            return
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._most:
                raise HTTPException(status.HTTP_413_CONTENT_TOO_LARGE, sentence)
            return message

        await self._app(scope, counted, send)


class Key:
    """Lets in who has the key, as `Authorization: Bearer KEY`; everybody where there is none.

    Args:
        key: the key.
    """

    def __init__(self, key: str | None) -> None:
        """Keep the key."""
        self._expected = f"Bearer {key}".encode() if key else None

    def __call__(self, request: Request) -> None:
        """Check a request, in a time that does not tell how much of the key was right.

        Raises:
            HTTPException: 401.
        """
        if self._expected is None:
            return
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, self._expected):
            raise HTTPException(
                status.HTTP_401_UNAUTHORIZED,
                "The key is missing or wrong; send it as Authorization: Bearer KEY.",
                {"WWW-Authenticate": "Bearer"},
            )
