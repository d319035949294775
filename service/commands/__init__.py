"""The commands of ``faunalens`` for keys, decisions and evidence; ``serve`` and ``scan`` are in :mod:`service.cli`."""
