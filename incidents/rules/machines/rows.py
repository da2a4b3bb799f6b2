"""The observations of one camera as numbers, in the form in which the machines read them."""

from __future__ import annotations

import numpy as np

NOT_ASSESSED, MASKED, INCORRECT, UNMASKED = -1, 0, 1, 2
"""Mask votes. Of equal probabilities the least severe wins, hence this order."""

ROW = np.dtype(
    [
        ("t", "i8"),  # microseconds UTC
        ("minute", "i8"),  # of the local day
        ("track", "i8"),
        ("score", "i8"),  # millionths
        ("x", "f8"),  # foot, normalised; hidden feet may be below the frame
        ("y", "f8"),
        ("gx", "f8"),  # ground, m; NaN where not known
        ("gy", "f8"),
        ("gse", "f8"),  # its standard error
        ("x1", "f8"),  # box, frame heights
        ("y1", "f8"),
        ("x2", "f8"),
        ("y2", "f8"),
        ("change", "f8"),  # of the picture around the face, 0..1; NaN where it was not measured
        ("role0", "f8"),  # role probabilities; NaN where not read
        ("role1", "f8"),
        ("role2", "f8"),
        ("role3", "f8"),
        ("found", "i1"),  # how the foot was found, a code of `vision.ground.Foot`
        ("vote", "i1"),
        ("tried", "i1"),  # whether an assessment of the mask was tried
        ("silent", "i1"),  # ignored or marked: it tells who is where, and raises nothing
    ]
)
"""One person in one analysed frame. Rows are sorted by time and track."""
