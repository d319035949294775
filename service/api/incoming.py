"""A batch comes in: files, an archive or a manifest, kept whole or not at all."""

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.requests import Request

from service.api.bodies import MULTIPART, coding_of, content_kind, counted, packed
from service.api.parts import uploads
from service.bulk import manifest
from service.bulk.archives import Member, members, refusal, too_many_bytes, too_many_files
from service.bulk.bulk import Bulk
from service.bulk.gathering import Gathering
from service.errors import ErrorCode, FaunalensError

ARCHIVES = {
    "application/zip": "zip", "application/x-zip-compressed": "zip", "application/x-tar": "tar",
    "application/gzip": "tar", "application/x-gzip": "tar",
}  # fmt: skip
MANIFESTS = ("application/jsonl", "application/x-ndjson", "application/jsonlines")
_WRITE_BYTES = 1_048_576
# of a manifest for each picture, empty ones counted: they are cheap to send, and reading them holds up everybody else
_LINES, _LINES_LEAST = 2, 1_000


async def gather(request: Request, bulk: Bulk, gathering: Gathering) -> None:
    """Read the whole body into ``gathering``.

    Raises ``unsupported_content_type``, ``malformed_body``, ``corrupt_archive``, ``too_many_bytes``,
    ``too_many_files``, ``url_not_allowed`` and ``store_unavailable``.
    """
    kind, coding = content_kind(request), coding_of(request.scope["headers"])
    # a tar may be packed, and says so itself
    if coding and ARCHIVES.get(kind) != "tar":
        raise packed(coding)
    body = counted(request, bulk.bounds.total)
    if kind == MULTIPART:
        await _files(request, body, bulk, gathering)
    elif kind in ARCHIVES:
        await _archive(ARCHIVES[kind], body, bulk, gathering)
    elif kind in MANIFESTS:
        await _manifest(body, bulk, gathering)
    else:
        raise FaunalensError(
            ErrorCode.UNSUPPORTED_CONTENT_TYPE,
            "Send multipart/form-data, application/zip, application/x-tar, application/gzip or application/jsonl.",
            {"content_type": kind[:100]},
        )


async def _files(request: Request, body: AsyncIterator[bytes], bulk: Bulk, gathering: Gathering) -> None:
    most = bulk.bounds.single
    async for upload in uploads(request, body, most):
        if len(upload.data) > most:
            member = Member(upload.name, b"", refusal(too_many_bytes(most)))
        else:
            member = Member(upload.name, upload.data)
        await asyncio.to_thread(gathering.add, member)


async def _archive(kind: str, body: AsyncIterator[bytes], bulk: Bulk, gathering: Gathering) -> None:
    try:
        with bulk.spool() as spool:
            await _in_blocks(body, spool.append)

            def unpack() -> None:
                for member in members(kind, spool, bulk.bounds):
                    gathering.add(member)

            await asyncio.to_thread(unpack)
    except OSError as error:
        raise FaunalensError(ErrorCode.STORE_UNAVAILABLE, "The archive cannot be stored now.") from error


async def _in_blocks(body: AsyncIterator[bytes], write: Callable[[bytes], None]) -> None:
    """Hand the body over in pieces worth a thread."""
    block = bytearray()
    async for chunk in body:
        block += chunk
        if len(block) >= _WRITE_BYTES:
            await asyncio.to_thread(write, bytes(block))
            block.clear()
    await asyncio.to_thread(write, bytes(block))


async def _manifest(body: AsyncIterator[bytes], bulk: Bulk, gathering: Gathering) -> None:
    if bulk.settings.url_input != "on" and not bulk.settings.batch_buckets:
        raise FaunalensError(ErrorCode.URL_NOT_ALLOWED, "Pictures by URL are not taken here.", {"reason": "off"})
    number, rest, most = 0, b"", max(_LINES_LEAST, _LINES * bulk.bounds.files)
    async for chunk in body:
        *lines, rest = (rest + chunk).split(b"\n")
        if number + len(lines) > most:
            raise too_many_files(bulk.bounds.files)
        if len(rest) > manifest.LINE_BYTES:
            raise FaunalensError(ErrorCode.MALFORMED_BODY, "A line of the manifest is too long.", {"line": number + 1})
        for line in lines:
            number += 1
            _enter(line, number, gathering)
    _enter(rest, number + 1, gathering)


def _enter(line: bytes, number: int, gathering: Gathering) -> None:
    entry = manifest.entry(line, number)
    if entry:
        gathering.enter(entry)
