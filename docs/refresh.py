"""Puts the shipped weights' real answer and heat map into the README: ``python docs/refresh.py``."""

import json
import re
from pathlib import Path

from service.detector import Detector
from service.settings import Settings

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "docs" / "samples" / "tusk-single.jpg"
_SHOWN_LISTINGS = 1


def response(detector: Detector) -> str:
    """The README's JSON block; of the CITES listings only the first is shown."""
    answer = detector.answer(SAMPLE.read_bytes(), "5b1f6d0c9c1e4f0a8f6f3b0a2c7d9e11", detector.policy("sensitive"))
    values = json.loads(answer.model_dump_json(exclude_none=True))
    for finding in values["findings"]:
        finding["cites"] = finding["cites"][:_SHOWN_LISTINGS]
    return json.dumps(values, indent=1, ensure_ascii=False)


def main() -> None:
    """Rewrite the block and the picture."""
    detector = Detector(Settings())
    readme = ROOT / "README.md"
    block = f"```json\n{response(detector)}\n```"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(re.sub(r"```json\n.*?```", lambda _: block, text, count=1, flags=re.DOTALL), encoding="utf-8")
    heat = detector.heatmap(SAMPLE.read_bytes(), "ivory")
    (ROOT / "docs" / "pictures" / "tusk-heatmap.png").write_bytes(heat)


if __name__ == "__main__":
    main()
