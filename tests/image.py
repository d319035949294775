"""Builds and runs the image without Docker: the Dockerfile's own instructions, in folders that are made the root.

``python -m tests.image [--work FOLDER]``, as root on Debian with ``debootstrap`` and a way to the package indexes of
Debian and Python. What stands in for ``python:3.11-slim`` is Debian 12's smallest system with its own Python 3.11. The
last stage runs as the Dockerfile's user without any capability, on a root file system that is mounted read-only.
"""

import argparse
import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import ROOT, SAMPLES
from tests.live import children, until
from tests.process import free_port

_PACKAGES = "python3,python3-venv,ca-certificates"
_MOST_MB = 400
_NEVER = ("torch", "torchvision", "timm", "pip", "setuptools", "onnx", "pytest", "matplotlib")


@dataclass
class Stage:
    """One stage: its root folder, and what its instructions have set."""

    root: Path
    folder: str = "/"
    user: str = "0"
    environment: dict[str, str] = field(
        default_factory=lambda: {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    )
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    volume: str = "/tmp"

    def run(self, command: str) -> None:
        """``RUN``: as root, with the name servers and the certificates of this machine."""
        root, inside = self.root, f"cd {self.folder} && {command}"
        script = f"mount -t proc proc {root}/proc"
        for file in ("/etc/resolv.conf", "/etc/ssl/certs/ca-certificates.crt"):
            script += f" && touch {root}{file} && mount --bind {file} {root}{file}"
        script += f" && exec chroot {root} sh -ec {shlex.quote(inside)}"
        subprocess.run(["unshare", "--mount", "sh", "-ec", script], env=self.environment, check=True)

    def copy(self, source: Path, names: list[str], target: str) -> None:
        """``COPY``."""
        into = self.root / os.path.join(self.folder, target).lstrip("/")
        for name in names:
            from_ = source / name.lstrip("/")
            to = into / from_.name if target.endswith("/") else into
            to.parent.mkdir(parents=True, exist_ok=True)
            # Docker copies a folder's content; one that is there already keeps what else it has
            tail = "/." if from_.is_dir() else ""
            subprocess.run(["cp", "-a", f"{from_}{tail}", to], check=True)

    @contextlib.contextmanager
    def running(self, command: list[str], **environment: str) -> Iterator["subprocess.Popen[str]"]:
        """A process as the image runs it: the stage's user, no capability, the root read-only, one writable volume."""
        rights = f"--reuid {self.user} --regid {self.user} --clear-groups --no-new-privs --bounding-set -all"
        script = (
            f"mount --bind {self.root} {self.root} && mount -o remount,bind,ro {self.root} && "
            f"mount --bind {self.root}.volume {self.root}{self.volume} && mount -t proc proc {self.root}/proc && "
            f'exec chroot {self.root} setpriv {rights} "$@"'
        )
        process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", script, "image", *command],
            env={**self.environment, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def output(self, command: list[str], **environment: str) -> tuple[int, str]:
        """Exit code and output of a command of the image."""
        with self.running(command, **environment) as process:
            text, _ = process.communicate(timeout=120)
        return process.returncode, text


def instructions() -> Iterator[tuple[str, str]]:
    """The Dockerfile's instructions and their arguments."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    for line in filter(str.strip, text.splitlines()):
        name, _, rest = line.partition(" ")
        yield name, rest.strip()


def base(folder: Path) -> Path:
    """Debian's smallest system with Python; ``python`` is there by that name, as in the image that it stands for."""
    if not folder.exists():
        subprocess.run(["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", "bookworm", folder], check=True)
        (folder / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    return folder


def build(work: Path) -> Stage:
    """Carry out all stages; the last one."""
    stages: dict[str, Stage] = {}
    for name, rest in instructions():
        if name == "FROM":
            label = rest.partition(" AS ")[2] or str(len(stages))
            subprocess.run(["rm", "-rf", work / label, work / f"{label}.volume"], check=True)
            subprocess.run(["cp", "-a", base(work / "base"), work / label], check=True)
            stage = stages[label] = Stage(work / label)
        elif name == "WORKDIR":
            stage.folder = rest
            (stage.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif name == "RUN":
            stage.run(rest)
        elif name == "COPY":
            words = rest.split()
            source = stages[words.pop(0).partition("=")[2]].root if rest.startswith("--from") else ROOT
            stage.copy(source, words[:-1], words[-1])
        elif name == "ENV":
            known = {"PATH": stage.environment["PATH"]}
            for pair in shlex.split(rest):
                key, _, value = pair.partition("=")
                stage.environment[key] = value.replace("$PATH", known["PATH"])
        elif name in ("USER", "VOLUME"):
            setattr(stage, name.lower(), rest)
        elif name == "CMD":
            stage.command = json.loads(rest)
        elif name == "HEALTHCHECK":
            stage.health = json.loads(rest.partition(" CMD ")[2])
        elif name != "EXPOSE":
            raise SystemExit(f"the Dockerfile has {name}, which is not known here")
    # a new volume has the owner and the mode of the folder that it covers
    subprocess.run(["cp", "-a", f"{stage.root}{stage.volume}", f"{stage.root}.volume"], check=True)
    return stage


def megabytes(folder: Path) -> float:
    """What a folder takes on the disk, MB."""
    return int(subprocess.check_output(["du", "-s", "-B1", folder], text=True).split()[0]) / 1e6


def check(stage: Stage) -> None:
    """What the Dockerfile promises; prints what was found."""
    added, whole = megabytes(stage.root / "opt/faunalens"), megabytes(stage.root)
    print(f"installed {added:.0f} MB, with the system {whole:.0f} MB")
    assert added < _MOST_MB
    # nothing can be written there later: each start would compile everything anew
    assert any(stage.root.glob("opt/faunalens/lib/python*/site-packages/service/__pycache__/server.*.pyc"))
    packages = {
        path.name.split("-")[0].lower() for path in stage.root.glob("opt/faunalens/lib/python*/site-packages/*")
    }
    assert not packages & {*_NEVER} and not [
        name for name in ("gcc", "cc", "make") if (stage.root / "usr/bin" / name).exists()
    ]
    code, text = stage.output(
        ["sh", "-c", "id -u; touch /opt/faunalens/x; touch /x; touch /tmp/x; grep CapEff /proc/self/status"]
    )
    assert text.count("Read-only file system") == 3 and text.startswith(stage.user) and "0000000000000000" in text, text
    code, text = stage.output(["faunalens", "keys", "create", "--name", "image", "--scope", "detect"])
    key = text.split()[-1]
    assert code == 0 and key.startswith("fl_"), text
    port = str(free_port())
    with stage.running(stage.command, FAUNALENS_PORT=port) as process:
        until(lambda: answers(f"http://127.0.0.1:{port}/readyz"))
        assert stage.output(stage.health, FAUNALENS_PORT=port)[0] == 0
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/detect", (SAMPLES / "tusk-single.jpg").read_bytes(),
            {"X-API-Key": key, "Content-Type": "image/jpeg"},
        )  # fmt: skip
        with urllib.request.urlopen(request) as response:
            print("verdict", json.load(response)["verdict"])
        (server,) = children(process.pid)
        assert f"Uid:\t{stage.user}\t{stage.user}" in Path(f"/proc/{server}/status").read_text()
        os.kill(server, signal.SIGTERM)
        text, _ = process.communicate(timeout=60)
    assert process.returncode == 0, text
    print("health check, a judged picture and SIGTERM: fine, as user", stage.user)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


def main() -> None:
    """Build, check, and remove what was built; the system that stands in for the base image stays in ``--work``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path)
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("this needs root")
    with tempfile.TemporaryDirectory() as folder:
        check(build(options.work or Path(folder)))


if __name__ == "__main__":
    main()
