"""Faunalens service: recognises wildlife products in listing photos.

The one way through the house is ``bytes -> imaging -> classifier -> policy -> answer``; :mod:`service.detector` joins
the steps, and the endpoint, the bulk scan, the command line and the evaluation all call it.
"""

__version__ = "0.1.0"
