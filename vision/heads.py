"""Head regions and faces: where a face is looked for, and whether it can be assessed.

A face that is too small, cut off, turned away or blurred is not assessed. That is a result with a reason;
it never counts as a masked face.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from models.devices import Device, PoseDetector
from models.errors import ModelError
from models.faces.crops import head_region
from models.registry import Weights

MIN_FACE_HEIGHT_PX = 20
"""Least height of a face that is assessed, px; the mask rule asks for more (32 px by default).
Project default (docs/defaults.md)."""
MIN_FACE_SCORE = 0.25
"""Least score of a face that is assessed: the default of ultralytics, not tuned."""
MIN_CANDIDATE_SCORE = 0.05
"""Least score of a face that is found. Weaker faces matter to the evaluation, which ranks by score."""
MAX_YAW_DEGREES = 60.0
"""Largest angle by which an assessed face may be turned to either side.
Project default (docs/defaults.md)."""
MAX_FACE_SHARE_STANDING = ((2.2, 0.16), (1.8, 0.22))
"""Upper bounds of face height over box height, for boxes at least so many times as high as wide. A head is
about 1/7.5 of the height of a person (the classical canon). A box with a ratio of 2.2 shows at least 0.85 of
a standing body, one with 1.8 at least 0.6 of it. Project default (docs/defaults.md)."""
MAX_FACE_SHARE_OF_WIDTH = 0.75
"""Upper bound of face height over box width for a bust or a seated person, whose shoulders are wider than the
face is high. Project default (docs/defaults.md)."""
CUT_OFF_ASPECT = 0.9
"""A face at the upper edge of its region is cut off where it is lower than this share of its width.
Project default (docs/defaults.md)."""
NOSE_DEPTH = 0.5
"""Distance of the nose tip from the plane of the eyes over the distance of the pupils: about 30 mm over about
63 mm in adults, rounded up."""
BLUR_SIDE_PX = 32
"""Side to which a face is reduced before its detail is measured, px."""
MIN_DETAIL = 0.05
"""Least fine detail of a face, as a share of its contrast; below it the face is blurred (see `blurred`). On
validation faces, blurred artificially, the mask classifier is right in 92 % of the sharp ones (detail above
0.13), in 86 % of those around 0.04 and in 72 % of those below 0.01. The limit is where it
loses five points."""
REGION_EDGE_MARGIN = 0.03
"""A face is cut by an edge of its region where it lies within this share of its width (plus 1 px) of it."""
CUT_FACE_WEIGHT = 0.3
"""Factor of the score of a face that an edge of the region cuts: it is probably a neighbour's.
Project default (docs/defaults.md)."""

__all__ = [
    "Face",
    "FaceFinder",
    "Head",
    "best_face",
    "blurred",
    "head_region",
    "max_face_height",
    "rejection_reason",
    "yaw",
]


@dataclass(frozen=True)
class Face:
    """A face in an image.

    Attributes:
        box: (4,) x1, y1, x2, y2, px.
        score: the network's, uncalibrated.
        landmarks: (5, 3): eyes (image left, right), nose tip, mouth corners (left, right); x, y px and
            confidence.
    """

    box: np.ndarray
    score: float
    landmarks: np.ndarray

    @property
    def height(self) -> float:
        """Height of the box, px."""
        return float(self.box[3] - self.box[1])


class FaceFinder:
    """Finds faces in regions of images."""

    def __init__(self, weights: Weights, device: Device, imgsz: int = 128) -> None:
        """Load `weights` on `device`; regions are scaled to `imgsz` px on the longer side.

        Raises:
            ModelError: the weights cannot be loaded, or do not find faces with five landmarks.
        """
        # On a CPU each region has an input of its own, and all of a call are shared out among the streams.
        self._batch = device.batch if device.kind == "cuda" else None
        self._pose = PoseDetector(weights, device, imgsz, MIN_CANDIDATE_SCORE)
        self.weights = self._pose.weights
        if self._pose.classes != ("face",):
            raise ModelError(
                f"{weights.name}: expected weights whose only class is 'face', "
                f"got {len(self._pose.classes)} classes, the first {self._pose.classes[0]!r}"
            )

    def __call__(self, regions: Sequence[np.ndarray]) -> list[list[Face]]:
        """The faces of each region (H x W x 3 BGR), highest score first, in px of the region."""
        found = []
        batch = self._batch or max(1, len(regions))
        for first in range(0, len(regions), batch):
            for poses in self._pose(regions[first : first + batch]):
                pairs = zip(poses.boxes, poses.keypoints, strict=True)
                found.append([Face(row[:4], float(row[4]), marks) for row, marks in pairs])
        return found


@dataclass(frozen=True)
class Head:
    """A person's head region in a frame.

    Attributes:
        image: the frame, H x W x 3 BGR.
        region: x1, y1, x2, y2, px; see `head_region`.
    """

    image: np.ndarray
    region: tuple[int, int, int, int]

    @classmethod
    def of(cls, image: np.ndarray, box: np.ndarray) -> Head:
        """The head region of the person in a box (x1, y1, x2, y2, px)."""
        return cls(image, head_region(box, image.shape[1], image.shape[0]))

    @property
    def crop(self) -> np.ndarray:
        """The image in the region."""
        x1, y1, x2, y2 = self.region
        return self.image[y1:y2, x1:x2]

    def in_frame(self, face: Face) -> np.ndarray:
        """The box of a face of this region in px of the frame, float64 (4,)."""
        return np.asarray(face.box + np.array([*self.region[:2], *self.region[:2]]), np.float64)

    def weighted_score(self, face: Face) -> float:
        """The score of a face, times CUT_FACE_WEIGHT where an edge of the region inside the frame cuts it."""
        x1, y1, x2, y2 = face.box
        height, width = self.crop.shape[:2]
        margin = REGION_EDGE_MARGIN * (x2 - x1) + 1
        cut_left = self.region[0] > 0 and x1 < margin
        cut_top = self.region[1] > 0 and y1 < margin
        cut_right = self.region[2] < self.image.shape[1] and x2 > width - margin
        cut_bottom = self.region[3] < self.image.shape[0] and y2 > height - margin
        cut = cut_left or cut_top or cut_right or cut_bottom
        return float(face.score * (CUT_FACE_WEIGHT if cut else 1.0))


def max_face_height(box: np.ndarray) -> float:
    """Upper bound of the face height (px) of the person in `box`, by which far people are skipped."""
    x1, y1, x2, y2 = (float(v) for v in box)
    width, height = x2 - x1, y2 - y1
    for aspect, share in MAX_FACE_SHARE_STANDING:
        if height >= aspect * width:
            return share * height
    return min(MAX_FACE_SHARE_OF_WIDTH * width, height)


def best_face(faces: Sequence[Face], head: Head) -> Face | None:
    """The face in a head region that is most likely the person's: high score, central, high up and whole.

    None where no face has at least MIN_FACE_SCORE.
    """
    height, width = head.crop.shape[:2]

    def rank(face: Face) -> float:
        across = (face.box[0] + face.box[2]) / 2 / width
        down = (face.box[1] + face.box[3]) / 2 / height
        return float(head.weighted_score(face) * (1 - abs(across - 0.5)) * (1 - 0.5 * down))

    return max((face for face in faces if face.score >= MIN_FACE_SCORE), key=rank, default=None)


def rejection_reason(face: Face, region: np.ndarray) -> str | None:
    """Why a face in a region (H x W x 3 BGR) cannot be assessed, as the log names it; None where it can."""
    x1, y1, x2, y2 = face.box
    if face.height < MIN_FACE_HEIGHT_PX:
        return "too_small"
    if y1 <= 0 and face.height < CUT_OFF_ASPECT * (x2 - x1):
        return "cut_off"
    if abs(yaw(face.landmarks)) > MAX_YAW_DEGREES:
        return "turned"
    if blurred(region[max(0, int(y1)) : int(y2) + 1, max(0, int(x1)) : int(x2) + 1]):
        return "blurred"
    return None


def yaw(landmarks: np.ndarray) -> float:
    """Degrees that a face is turned to the side, by its landmarks (5, 2 or more): positive to image right.

    In a frontal view the nose tip lies midway between the eyes. In a face turned by `a`, the distance of the
    eyes shrinks by cos a, and the nose moves aside by its depth times sin a; the ratio of the two gives
    tan a. It is measured along the line of the eyes, so that a tilted head changes nothing.
    """
    left, right, nose = (np.asarray(landmarks[n, :2], np.float64) for n in range(3))
    eyes = right - left
    distance = float(np.hypot(*eyes))
    if distance < 1e-6:
        return 90.0
    aside = float((nose - (left + right) / 2) @ eyes) / distance
    return float(np.degrees(np.arctan2(aside, NOSE_DEPTH * distance)))


def blurred(face: np.ndarray) -> bool:
    """Whether a face (H x W x 3 BGR) is too blurred to assess.

    The measure is the variance of the Laplacian (Pech-Pacheco et al. 2000) over the grey variance, so that a
    dark face does not count as blurred for its low contrast. The face is first reduced to BLUR_SIDE_PX; a
    smaller one is left as it is.
    """
    side = max(8, min(BLUR_SIDE_PX, *face.shape[:2]))
    grey = cv2.cvtColor(cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    detail = float(cv2.Laplacian(grey, cv2.CV_64F).var())
    return detail < MIN_DETAIL * (float(grey.var()) + 1.0)
