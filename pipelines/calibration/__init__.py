"""Finding a camera's calibration, and telling how good it is."""
