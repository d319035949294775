"""The HTTP interface: a thin layer over :class:`service.detector.Detector`."""
