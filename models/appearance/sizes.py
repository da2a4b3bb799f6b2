"""The sizes of the appearance network's input and output, for those who prepare or use them without it."""

from __future__ import annotations

HEIGHT, WIDTH = 128, 64
"""px to which a crop is brought: people in CCTV are 50 to 150 px high, larger would cost without telling."""
DIMENSION = 128
"""Of the vectors."""
