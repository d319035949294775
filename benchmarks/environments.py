"""A virtual environment for each peer, so that their versions do not clash, in a cache folder outside the project."""

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.contenders import COMMON, ENVIRONMENTS

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "faunalens-benchmarks"


def bin_of(name: str) -> Path:
    """Folder of the commands of environment ``name``, made and filled on first use; raises CalledProcessError."""
    folder = CACHE / "peers" / name
    done = folder / "installed.txt"
    if not done.exists():
        print(f"installing {', '.join(ENVIRONMENTS[name])} into {folder}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [folder / "bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, *COMMON, *ENVIRONMENTS[name]], check=True)
        frozen = subprocess.run([folder / "bin/python", "-m", "pip", "freeze"], check=True, capture_output=True)
        done.write_bytes(frozen.stdout)
    return folder / "bin"
