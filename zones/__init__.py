"""What a facility is: its file, geometry, calibration and schedule."""
