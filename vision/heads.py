"""Heads and faces: where to look, and whether what is seen there can be judged at all.

A face that is too small, cut off, turned away or blurred is not assessed, which is an answer with a
reason, never a kind of compliance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from models.devices import Device, Poser
from models.errors import ModelError
from models.faces.crops import head_region
from models.registry import Weights

MIN_FACE_HEIGHT_PX = 20
"""Faces lower than this are never assessed [D]; the rule asks for more (32 px by default)."""
FACE_SCORE = 0.25
"""A face is judged from this score on: ultralytics' default, not tuned."""
CANDIDATE_SCORE = 0.05
"""Faces from this score on are found; the weaker ones matter to evaluation, which ranks by score."""
MAX_YAW_DEGREES = 60.0
"""Degrees that a face may be turned to either side [D]."""
FACE_OF_STANDING = ((2.2, 0.16), (1.8, 0.22))
"""Upper bounds of face height over box height, for boxes at least so many times as high as wide. A head is
about 1/7.5 of the stature (the classical canon); a box that slender shows at least 0.85 of a standing body,
one of 1.8 at least 0.6 of it [D]."""
FACE_OF_WIDTH = 0.75
"""Upper bound of face height over box width for a bust or seated person, whose shoulders are wider than
the face is high [D]."""
NOSE_REACH = 0.5
"""How far the nose tip lies before the plane of the eyes, over the distance of the pupils: about 30 mm over
about 63 mm in adults, rounded up."""
BLUR_SIDE = 32
BLUR_BELOW = 0.05
"""Faces whose fine detail is below this share of their contrast are blurred; see `blurred`. On validation
faces, blurred on purpose, the mask classifier is right in 92 % of the sharp ones (detail above 0.13), in 86 %
of those around 0.04, in 72 % of those below 0.01: the line is drawn where five points are lost."""


CUT_WEIGHT = 0.3
"""What the score of a face counts that the edge of a region cuts: it is rather a neighbour's."""

__all__ = [
    "Face",
    "FaceFinder",
    "Head",
    "best_face",
    "blurred",
    "face_bound",
    "head_region",
    "rejection_reason",
    "yaw",
]


@dataclass(frozen=True)
class Face:
    """A face in an image.

    Attributes:
        box: (4,) x1, y1, x2, y2, px.
        score: the detector's, uncalibrated.
        landmarks: (5, 3): eyes (image left, right), nose tip, mouth corners (left, right); x, y px and
            confidence.
    """

    box: np.ndarray
    score: float
    landmarks: np.ndarray

    @property
    def height(self) -> float:
        """Of its box, px."""
        return float(self.box[3] - self.box[1])


class FaceFinder:
    """Finds faces in regions of images."""

    def __init__(self, weights: Weights, device: Device, imgsz: int = 192) -> None:
        """Load `weights` on `device`; regions are brought to `imgsz` px on the longer side.

        Raises:
            ModelError: the weights cannot be loaded, or do not find faces with five landmarks.
        """
        self.batch = device.batch
        self._pose = Poser(weights, device, imgsz, CANDIDATE_SCORE)
        self.weights = self._pose.weights
        if self._pose.classes != ("face",):
            raise ModelError(
                f"{weights.name}: expected weights whose only class is 'face', "
                f"got {len(self._pose.classes)} classes, the first {self._pose.classes[0]!r}"
            )

    def __call__(self, regions: Sequence[np.ndarray]) -> list[list[Face]]:
        """The faces of each region (H x W x 3 BGR), best first, in px of the region."""
        found = []
        for first in range(0, len(regions), self.batch):
            for poses in self._pose(regions[first : first + self.batch]):
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
        """The picture in the region."""
        x1, y1, x2, y2 = self.region
        return self.image[y1:y2, x1:x2]

    def in_frame(self, face: Face) -> np.ndarray:
        """The box of a face of this region in px of the frame, float64 (4,)."""
        return np.asarray(face.box + np.array([*self.region[:2], *self.region[:2]]), np.float64)

    def weight(self, face: Face) -> float:
        """The score of a face, less where an edge of the region cuts it that is not one of the frame."""
        x1, y1, x2, y2 = face.box
        height, width = self.crop.shape[:2]
        near = 0.03 * (x2 - x1) + 1
        within = (self.region[0] > 0, self.region[1] > 0)
        beyond = (self.region[2] < self.image.shape[1], self.region[3] < self.image.shape[0])
        cut = (within[0] and x1 < near) or (within[1] and y1 < near)
        cut = cut or (beyond[0] and x2 > width - near) or (beyond[1] and y2 > height - near)
        return float(face.score * (CUT_WEIGHT if cut else 1.0))


def face_bound(box: np.ndarray) -> float:
    """The most px that the face of a person in `box` can be high: too little saves a look."""
    x1, y1, x2, y2 = (float(v) for v in box)
    across, tall = x2 - x1, y2 - y1
    for aspect, share in FACE_OF_STANDING:
        if tall >= aspect * across:
            return share * tall
    return min(FACE_OF_WIDTH * across, tall)


def best_face(faces: Sequence[Face], head: Head) -> Face | None:
    """Of several faces in a head region, the one that is most likely its person's.

    Strong, high up, central and whole; None where there is none of at least `FACE_SCORE`.
    """
    height, width = head.crop.shape[:2]

    def fit(face: Face) -> float:
        across = (face.box[0] + face.box[2]) / 2 / width
        down = (face.box[1] + face.box[3]) / 2 / height
        return float(head.weight(face) * (1 - abs(across - 0.5)) * (1 - 0.5 * down))

    return max((face for face in faces if face.score >= FACE_SCORE), key=fit, default=None)


def rejection_reason(face: Face, region: np.ndarray) -> str | None:
    """Why a face in a region (H x W x 3 BGR) cannot be judged, as the log names it; None where it can."""
    x1, y1, x2, y2 = face.box
    if face.height < MIN_FACE_HEIGHT_PX:
        return "too_small"
    if y1 <= 0 and face.height < 0.9 * (x2 - x1):
        return "cut_off"
    if abs(yaw(face.landmarks)) > MAX_YAW_DEGREES:
        return "turned"
    if blurred(region[max(0, int(y1)) : int(y2) + 1, max(0, int(x1)) : int(x2) + 1]):
        return "blurred"
    return None


def yaw(landmarks: np.ndarray) -> float:
    """Degrees that a face is turned to the side, by its landmarks (5, 2 or more): positive to image right.

    Seen from the front the nose tip lies midway between the eyes. Turned by `a`, the eyes come nearer to
    each other by cos a while the nose moves aside by its reach times sin a; the ratio of the two gives
    tan a. Measured along the line of the eyes, so that a tilted head changes nothing.
    """
    left, right, nose = (np.asarray(landmarks[n, :2], np.float64) for n in range(3))
    eyes = right - left
    apart = float(np.hypot(*eyes))
    if apart < 1e-6:
        return 90.0
    aside = float((nose - (left + right) / 2) @ eyes) / apart
    return float(np.degrees(np.arctan2(aside, NOSE_REACH * apart)))


def blurred(face: np.ndarray) -> bool:
    """Whether a face (H x W x 3 BGR) is too blurred to judge.

    The variance of the Laplacian (Pech-Pacheco et al. 2000) of the face brought to 32 px (a lower one is
    left as it is), over its grey variance, so that a dark face is not called blurred for its low contrast.
    """
    side = max(8, min(BLUR_SIDE, *face.shape[:2]))
    grey = cv2.cvtColor(cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    detail = float(cv2.Laplacian(grey, cv2.CV_64F).var())
    return detail < BLUR_BELOW * (float(grey.var()) + 1.0)
