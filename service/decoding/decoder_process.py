"""A decoder process: pictures in, small RGB pixels out, nothing else within reach.

Started by :mod:`service.decoding.decoders` with an empty environment and a socket as standard input. Its memory is
bounded; it can open no file and no connection and, unless root runs it, start no process or thread; where Linux has
Landlock it can neither become another program nor reach other processes; and it ends when the service closes the
socket. A picture that crashes it, or takes too long, costs this process and nothing more.
"""

import dataclasses
import math
import resource
import signal
import socket
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import AvifImagePlugin, Image, ImageCms, ImageFile, MpoImagePlugin, TiffImagePlugin, WebPImagePlugin

from service import imaging
from service.contract import Preprocessing
from service.decoding import landlock, wire
from service.decoding.starting import ignore_what_is_for_the_service
from service.errors import FaunalensError

_GRACE_SECONDS = 5
# Pillow would look for these at the first picture that needs them, when no file can be opened any more
Image.preinit()
_AT_HAND = (ImageCms, MpoImagePlugin, TiffImagePlugin, WebPImagePlugin)


def main() -> None:
    """Answer requests on the socket until the service closes it."""
    channel = wire.Channel(socket.socket(fileno=0))
    ignore_what_is_for_the_service()
    bounds, _ = channel.receive(0)
    limits = imaging.Limits(*bounds["limits"])
    channel.send({"confined": _restrict(bounds["memory"])})
    while True:
        try:
            request, data = channel.receive(limits.max_bytes)
        except EOFError:
            return
        # an end even when the service died meanwhile
        signal.alarm(math.ceil(bounds["wait"]) + _GRACE_SECONDS)
        _allow(bounds["seconds"])
        fields, pixels = _answer(bytes(data), limits, request)
        channel.send(fields, pixels)
        signal.alarm(0)


def _restrict(memory: int) -> bool:
    """Bound this process for good; returns whether it is confined by :mod:`service.decoding.landlock` too."""
    with open("/proc/self/statm", encoding="ascii") as stream:
        used = int(stream.read().split()[0]) * resource.getpagesize()
    # a limit that is there already may be lower
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = used + memory if hard == resource.RLIM_INFINITY else min(used + memory, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    confined = landlock.confine() > 0
    for kind in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE, resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC):
        resource.setrlimit(kind, (0, 0))
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    return confined


def _allow(seconds: float) -> None:
    """Take so much processor time for the next picture, in whole seconds; more ends the process."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = math.ceil(time.process_time() + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _answer(data: bytes, limits: imaging.Limits, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    # global in Pillow, and safe here: one picture at a time
    ImageFile.LOAD_TRUNCATED_IMAGES = request["tolerate_truncated"]
    try:
        header, pixels = _decode(data, limits, request)
    except FaunalensError as error:
        return {"error": [error.code.name, error.message, error.details]}, b""
    return {"header": dataclasses.asdict(header), "shape": pixels.shape[:2]}, pixels.tobytes()


def _decode(data: bytes, limits: imaging.Limits, request: dict[str, Any]) -> tuple[imaging.Header, NDArray[np.uint8]]:
    if request["rule"]:
        return imaging.prepare(data, limits, Preprocessing.model_validate(request["rule"]))
    picture = imaging.view(data, limits, request["side"])
    return picture.header, np.asarray(picture.rgb)


if __name__ == "__main__":
    main()
