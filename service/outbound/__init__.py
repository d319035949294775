"""Requests that leave this machine, to addresses that somebody else named."""
