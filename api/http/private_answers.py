"""Answers to signed requests are somebody's own: no cache on the way may keep them. Pure ASGI."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SIGNED_BY = "signature-input"
"""The header of a signed request (RFC 9421). Caches know that answers to `Authorization` are private; this one they do not know."""


class PrivateAnswers:
    """Marks them with `Cache-Control: no-store` (RFC 9111)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or SIGNED_BY not in Headers(scope=scope):
            await self._app(scope, receive, send)
            return

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["cache-control"] = "no-store"
            await send(message)

        await self._app(scope, receive, send_marked)
