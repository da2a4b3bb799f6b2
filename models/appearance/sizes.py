"""Sizes of the appearance network's input and output, for code that does not load the network."""

from __future__ import annotations

HEIGHT, WIDTH = 128, 64
"""Size of a crop, px. People in CCTV are 50 to 150 px high; a larger crop would only cost time."""
DIMENSION = 128
"""Dimension of the vectors."""
