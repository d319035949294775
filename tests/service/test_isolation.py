import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

CODE = """
import pkgutil, sys, importlib, service
for module in pkgutil.walk_packages(service.__path__, "service."):
    importlib.import_module(module.name)
print([name for name in sys.modules if name.split(".")[0] in {"torch", "torchvision", "timm", "training"}])
"""


def test_the_service_never_imports_torch_or_training() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_onnxruntime_leaves_no_trace_and_reports_nothing(tmp_path: Path) -> None:
    """With telemetry on, onnxruntime keeps a device id and a queue of events under the home folder."""
    code = (
        "from service.detector import Detector; from service.settings import load_settings; Detector(load_settings())"
    )
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True)
    assert list(tmp_path.rglob("*")) == []


def test_durations_never_come_from_the_wall_clock() -> None:
    """``time.time`` jumps; ``datetime.now`` is for what is shown and kept."""
    found = [path for path in (ROOT / "service").rglob("*.py") if "time.time(" in path.read_text(encoding="utf-8")]
    assert found == []
