"""Packages for investigators: what a listing's photos showed, what was decided, and proof that nothing was changed."""
