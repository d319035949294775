"""Training of the Faunalens network: manifest in, checkpoint, ONNX, contract and report out.

Needs the extra ``training`` (torch, torchvision, timm). It may import :mod:`service`; the service never imports it.
"""
