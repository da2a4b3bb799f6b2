"""What is assumed of people in view: their height, and boxes that the frame may cut off."""

from __future__ import annotations

MEAN_HEIGHT_M = 1.65
"""Mean height of adults in Viet Nam with shoes, both sexes mixed, m: 1.68 for men and 1.56 for women aged
18 (national nutrition survey 2019-2020), and 3 cm of shoes. It sets the scale of a calibration by walking
people, of people with hidden feet, and of the floor of an uncalibrated camera.
Project default (docs/defaults.md)."""
HEIGHT_SD_M = 0.08
"""Standard deviation of the height of adults of both sexes mixed, m: 6 to 7 cm within a sex, and half of the
12 cm between the sexes. It is for the mean of many people, as in a calibration by walking people.
Project default (docs/defaults.md)."""
STANDING_SD_M = 0.1
"""Standard deviation of how high the head of one standing person is above the floor, m: HEIGHT_SD_M, and what
bending and hair add. It is for placing one person by the head. Project default (docs/defaults.md)."""
NOMINAL_HEIGHT_M = 1.7
"""Height taken for a person where the box only sets a scale for speeds or box sizes, m. The limits that are
compared with it were set with this value, so it is not MEAN_HEIGHT_M. Project default (docs/defaults.md)."""
FRAME_EDGE_SHARE = 0.01
"""A box that ends this close to an edge of the frame may be cut off by it, in frame heights.
Project default (docs/defaults.md)."""
