"""Decoding as if every file were an attack: what a picture may cost, and the processes that take the costly ones."""
