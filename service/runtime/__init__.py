"""How work runs on this machine: who is let in, on which threads and cores, in how much memory."""
