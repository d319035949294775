"""Who is measured: how each is installed, started and asked. Servers lie in ``benchmarks/peers``, one file each."""

import sys
from dataclasses import dataclass, field

_WEB = ("fastapi", "uvicorn", "httptools", "uvloop", "python-multipart")


@dataclass(frozen=True)
class Contender:
    """A server. ``environment``: name of its virtual environment; ``command``: run in ``benchmarks/peers``.

    Without an environment it is run by this interpreter, at the top of the checkout.
    ``{bin}``: folder of the environment's commands, ``{port}``: the port. ``carries``: see
    :func:`benchmarks.load.body`.
    """

    name: str
    environment: str
    command: tuple[str, ...]
    path: str
    carries: str
    health: str
    variables: dict[str, str] = field(default_factory=dict)


# name of the environment: what pip installs beside numpy, Pillow and onnxruntime
ENVIRONMENTS: dict[str, tuple[str, ...]] = {
    "fastapi": _WEB,
    "litserve": ("litserve", "python-multipart"),
    "bentoml": ("bentoml",),
    "ray": ("ray[serve]",),
    # it does not start with newer ones: it calls what uvicorn and uvloop no longer have
    "mlserver": ("mlserver", "uvicorn<0.35", "uvloop<0.22"),
    "torch": (*_WEB, "torch", "torchvision", "onnx", "onnx2torch"),
}
COMMON = ("numpy", "pillow", "onnxruntime")
_TUNED = {"PEER_TUNED": "1"}
_PYTHON = "{bin}/python"
_BENTO = ("{bin}/bentoml", "serve", "bento_service:Photos", "--port", "{port}")

CONTENDERS = (
    Contender("bare-server", "", (sys.executable, "benchmarks/peers/bare_server.py"), "/predict", "raw", "/health"),
    Contender("textbook", "fastapi", (_PYTHON, "textbook.py"), "/predict", "multipart:file", "/health"),
    Contender("textbook-tuned", "fastapi", (_PYTHON, "textbook.py"), "/predict", "raw", "/health", _TUNED),
    Contender("textbook-workers", "fastapi", (_PYTHON, "textbook.py"), "/predict", "raw", "/health",
              {**_TUNED, "PEER_WORKERS": "2"}),
    Contender("litserve", "litserve", (_PYTHON, "litserve_api.py"), "/predict", "base64", "/health"),
    Contender("litserve-tuned", "litserve", (_PYTHON, "litserve_api.py"), "/predict", "multipart:request", "/health",
              _TUNED),
    Contender("bentoml", "bentoml", _BENTO, "/predict", "multipart:file", "/readyz"),
    Contender("bentoml-tuned", "bentoml", _BENTO, "/predict", "raw", "/readyz", _TUNED),
    Contender("ray", "ray", (_PYTHON, "ray_deployment.py"), "/predict", "raw", "/predict"),
    Contender("ray-tuned", "ray", (_PYTHON, "ray_deployment.py"), "/predict", "raw", "/predict", _TUNED),
    Contender("mlserver", "mlserver", (_PYTHON, "mlserver_runtime.py"), "/v2/models/photos/infer", "v2",
              "/v2/models/photos/ready"),
    Contender("mlserver-tuned", "mlserver", (_PYTHON, "mlserver_runtime.py"), "/v2/models/photos/infer", "v2",
              "/v2/models/photos/ready", _TUNED),
    Contender("torch", "torch", (_PYTHON, "torch_twin.py"), "/predict", "raw", "/health"),
    Contender("torch-tuned", "torch", (_PYTHON, "torch_twin.py"), "/predict", "raw", "/health", _TUNED),
)  # fmt: skip
BY_NAME = {contender.name: contender for contender in CONTENDERS}
