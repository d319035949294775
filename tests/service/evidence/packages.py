"""Evidence packages for tests: the command, and what a package says of itself."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from service.cli import main


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["evidence", *words])


def manifest_of(package: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((package / "manifest.json").read_text())
    return content
