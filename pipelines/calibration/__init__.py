"""Finding a camera's calibration and its errors."""
