"""Answers to HTTP/1.0, which knows no chunks: the end of the connection is the end of a body of unknown length.

uvicorn sends such bodies in chunks to everybody, which RFC 9112 (6.1) forbids: the client takes the lengths of chunks
for content.
"""

from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


def unchunk(cycle: RequestResponseCycle) -> None:
    """Let ``cycle``, whose answer has not begun, send its body as it is; its connection is closed afterwards anyway."""
    send = cycle.send

    async def plain(message: Any) -> None:
        if message["type"] == "http.response.start":
            cycle.chunked_encoding = False
        else:
            # as much as comes is as much as was said
            cycle.expected_content_length = len(message.get("body", b""))
        await send(message)

    cycle.send = plain  # type: ignore[method-assign]
