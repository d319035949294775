import subprocess
import sys

CODE = """
import pkgutil, sys, importlib, service
for module in pkgutil.walk_packages(service.__path__, "service."):
    importlib.import_module(module.name)
print([name for name in sys.modules if name.split(".")[0] in {"torch", "torchvision", "timm", "training"}])
"""


def test_the_service_never_imports_torch_or_training() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
