"""Photos to a checkpoint: the network, its training, and the kernel head."""
