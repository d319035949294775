"""Faunalens service: recognises wildlife products in listing photos.

The one way through the house is ``bytes -> imaging -> classifier -> policy -> answer``; :mod:`service.detector` joins
the steps, and the endpoint, the bulk scan, the command line and the evaluation all call it.
"""

import os

# onnxruntime's wheels (1.29 and later) report their use to Microsoft unless this is set before they are imported
# (microsoft/onnxruntime pull request 27379). A service that sees users' photos sends nothing.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
