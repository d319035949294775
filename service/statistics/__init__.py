"""Measuring: what was seen and decided, with intervals; the fall against a baseline; drift."""
