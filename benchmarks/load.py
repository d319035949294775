"""The load: wrk in a process of its own, posting different photos in turn over a fixed number of connections.

wrk is a Debian package; it is C, one thread, and sends ready-made requests.
"""

import base64
import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

_BOUNDARY = "faunalens-benchmark"
_REPORT = re.compile(r"^REPORT (.+)$", re.MULTILINE)
_LUA = """
local requests, turn = {}, 0
function init(args)
  for _, path in ipairs(args) do
    local file = io.open(path, "rb")
    requests[#requests + 1] = wrk.format("POST", nil, {["Content-Type"] = "%(type)s"%(headers)s}, file:read("*a"))
    file:close()
  end
end
function request()
  turn = turn %% #requests + 1
  return requests[turn]
end
function done(summary, latency, _)
  local errors = summary.errors
  local failed = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  print(string.format("REPORT %%d %%d %%f %%f %%f %%f", summary.requests, failed, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(90) / 1e3, latency:percentile(99) / 1e3))
end
"""


@dataclass(frozen=True)
class Load:
    """What a run of the load generator saw. Latencies in milliseconds, of all answers."""

    answered: int
    failed: int
    seconds: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    generator_seconds: float


def body(kind: str, photo: bytes) -> tuple[str, bytes]:
    """Content type and body that carry ``photo`` to a contender: raw, multipart:<field>, base64 or v2."""
    if kind == "raw":
        return "image/jpeg", photo
    name, _, field = kind.partition(":")
    if name == "multipart":
        head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="photo.jpg"\r\n'
        head += "Content-Type: image/jpeg\r\n\r\n"
        return f"multipart/form-data; boundary={_BOUNDARY}", head.encode() + photo + f"\r\n--{_BOUNDARY}--\r\n".encode()
    text = base64.b64encode(photo).decode()
    if kind == "base64":
        return "application/json", json.dumps({"image": text}).encode()
    item = {"name": "photo", "shape": [1, 1], "datatype": "BYTES", "data": [text],
            "parameters": {"content_type": "base64"}}  # fmt: skip
    return "application/json", json.dumps({"inputs": [item]}).encode()


def prepare(kind: str, photos: list[Path], folder: Path, headers: dict[str, str]) -> tuple[Path, list[Path]]:
    """Write wrk's script and the bodies into ``folder``."""
    bodies = []
    content_type = ""
    for index, photo in enumerate(photos):
        content_type, data = body(kind, photo.read_bytes())
        bodies.append(folder / f"body-{index}")
        bodies[-1].write_bytes(data)
    more = "".join(f', ["{name}"] = "{value}"' for name, value in headers.items())
    script = folder / "post.lua"
    script.write_text(_LUA % {"type": content_type, "headers": more})
    return script, bodies


def run(url: str, script: Path, bodies: list[Path], seconds: float, connections: int) -> Load:
    """Post for ``seconds`` over ``connections`` connections, each waiting for its answer before it asks again."""
    # the shell's times: what the load generator itself takes from the cores
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--timeout", "30s", "-s", str(script), url,
               "--", *map(str, bodies)]  # fmt: skip
    timed = ["bash", "-c", 'TIMEFORMAT="CPU %U %S"; time "$@"', "wrk", *command]
    done = subprocess.run(timed, capture_output=True, text=True, check=True)
    found = _REPORT.search(done.stdout)
    if found is None:
        raise RuntimeError(f"wrk printed no report: {done.stdout[-500:]}")
    requests, failed, took, p50, p90, p99 = map(float, found[1].split())
    user, system = map(float, done.stderr.rsplit("CPU", 1)[1].split())
    return Load(int(requests - failed), int(failed), took, p50, p90, p99, user + system)
