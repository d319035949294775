"""Puts the shipped weights' real answer and heat map into the README, and their measured tables into the model card:
``python docs/refresh.py``. The tables are those that ``faunalens evaluate`` wrote to ``docs/results/NAME``."""

import json
import re
from pathlib import Path

from service.detector import Detector
from service.settings import Settings

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "docs" / "samples" / "tusk-single.jpg"
CARD = ROOT / "weights" / "MODEL_CARD.md"
_SHOWN_LISTINGS = 1
_MEASURED = re.compile(r"(<!-- measured -->\n).*?(<!-- /measured -->)", re.DOTALL)


def response(detector: Detector) -> str:
    """The README's JSON block; of the CITES listings only the first is shown."""
    answer = detector.answer(SAMPLE.read_bytes(), "5b1f6d0c9c1e4f0a8f6f3b0a2c7d9e11", detector.policy(None))
    values = json.loads(answer.model_dump_json(exclude_none=True))
    for finding in values["findings"]:
        finding["cites"] = finding["cites"][:_SHOWN_LISTINGS]
    return json.dumps(values, indent=1, ensure_ascii=False)


def card(name: str) -> str:
    """The model card with the tables of ``docs/results/<name>/report.md``."""
    tables = (ROOT / "docs" / "results" / name / "report.md").read_text(encoding="utf-8").rstrip("\n")
    return _MEASURED.sub(lambda found: f"{found[1]}{tables}\n{found[2]}", CARD.read_text(encoding="utf-8"))


def main() -> None:
    """Rewrite the block, the picture and the card."""
    detector = Detector(Settings())
    readme = ROOT / "README.md"
    block = f"```json\n{response(detector)}\n```"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(re.sub(r"```json\n.*?```", lambda _: block, text, count=1, flags=re.DOTALL), encoding="utf-8")
    heat = detector.heatmap(SAMPLE.read_bytes(), "ivory")
    (ROOT / "docs" / "pictures" / "tusk-heatmap.png").write_bytes(heat)
    CARD.write_text(card(detector.contract.name), encoding="utf-8")


if __name__ == "__main__":
    main()
