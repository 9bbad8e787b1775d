"""Headers that keep a page from loading, framing or leaking anything it should not."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

TLS_ONLY: Final = "max-age=31536000"
"""Strict-Transport-Security, said over TLS alone: for a year a browser asks this host by nothing else."""

LOCKED: Final = "default-src 'none'; sandbox"
"""Content-Security-Policy of what is no page: files, metadata, lists."""


def with_headers(app: ASGIApp) -> ASGIApp:
    """Put the headers on every answer that has not its own.

    Parameters
    ----------
    app : ASGI application
        What answers.

    Returns
    -------
    ASGI application
        The same, with the headers.
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        # What is made for one person is kept by no proxy, and asked for again after signing out.
        personal = any(name in (b"cookie", b"authorization") for name, _ in scope.get("headers", ()))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, text in HEADERS.items():
                    headers.setdefault(name, text)
                if scope["scheme"] == "https":
                    headers.setdefault("Strict-Transport-Security", TLS_ONLY)
                if personal:
                    headers.setdefault("Cache-Control", "private, no-cache")
            await send(message)

        await app(scope, receive, send_with_headers if scope["type"] == "http" else send)

    return answer
