"""A checkpoint to the files that the service loads: network, calibration, thresholds, 8-bit integers."""
