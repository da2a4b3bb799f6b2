"""The camera model of Tsai (1987), as the cameras of PETS 2009 are published: a reference for calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TsaiCamera:
    """Parameters in mm and radians; the rotation is R = Rz Ry Rx."""

    width: int
    height: int
    dpx: float
    dpy: float
    focal: float
    kappa1: float
    cx: float
    cy: float
    sx: float
    translation: tuple[float, float, float]
    rotation: tuple[float, float, float]

    def project(self, world: npt.ArrayLike, distorted: bool = True) -> Array:
        """Pixel positions (N, 2) of world points (N, 3) in mm; the lens bends them unless told not to."""
        camera = self._turned(np.asarray(world, dtype=np.float64)) + self.translation
        undistorted = self.focal * camera[:, :2] / camera[:, 2:]
        sensor = self._distort(undistorted) if distorted else undistorted
        pixels: Array = sensor / (self.dpx / self.sx, self.dpy) + (self.cx, self.cy)
        return pixels

    def _distort(self, undistorted: Array) -> Array:
        # Tsai gives the undistorted from the distorted radius: r_u = r (1 + kappa1 r^2). Newton inverts it.
        target = np.hypot(*undistorted.T)
        radius = target.copy()
        for _ in range(20):
            radius -= (radius * (1 + self.kappa1 * radius**2) - target) / (1 + 3 * self.kappa1 * radius**2)
        ratio: Array = np.divide(radius, target, out=np.ones_like(target), where=target > 0)
        return np.asarray(undistorted * ratio[:, None], dtype=np.float64)

    def ground(self, image: npt.ArrayLike) -> Array:
        """Places (N, 2) on the floor, in metres, of normalised image points (N, 2); the lens is undone."""
        points = np.asarray(image, dtype=np.float64) * (self.width, self.height) - (self.cx, self.cy)
        sensor = points * (self.dpx / self.sx, self.dpy)
        radius2 = (sensor**2).sum(axis=1, keepdims=True)
        rays = np.column_stack([sensor * (1 + self.kappa1 * radius2) / self.focal, np.ones(len(sensor))])
        # The floor's two axes and its origin, as the camera sees them.
        axes = np.column_stack([self._turned(np.eye(3)[:2]).T, self.translation])
        floor = rays @ np.linalg.inv(axes).T
        return np.asarray(floor[:, :2] / floor[:, 2:] / 1000, dtype=np.float64)

    def _turned(self, world: Array) -> Array:
        """Points (N, 3) in the camera's directions."""
        sin, cos = np.sin(self.rotation), np.cos(self.rotation)
        rx = np.array([[1, 0, 0], [0, cos[0], -sin[0]], [0, sin[0], cos[0]]])
        ry = np.array([[cos[1], 0, sin[1]], [0, 1, 0], [-sin[1], 0, cos[1]]])
        rz = np.array([[cos[2], -sin[2], 0], [sin[2], cos[2], 0], [0, 0, 1]])
        return np.asarray(world @ (rz @ ry @ rx).T, dtype=np.float64)

    def floor(self, ground: npt.ArrayLike, distorted: bool = True) -> Array:
        """Normalised image positions (N, 2) of points (N, 2) on the floor, in metres."""
        metres = np.asarray(ground, dtype=np.float64)
        world = np.column_stack([metres * 1000, np.zeros(len(metres))])
        normalised: Array = self.project(world, distorted) / (self.width, self.height)
        return normalised


PETS_VIEW_001 = TsaiCamera(
    width=768,
    height=576,
    dpx=0.0051273271277,
    dpy=0.00465,
    focal=5.5549183034,
    kappa1=0.0051113043639,
    cx=324.22149053,
    cy=282.56650051,
    sx=1.0937855397,
    translation=(828.73214225, -3175.4796051, 35469.298547),
    rotation=(2.0405458695, -0.89337703748, -0.43056124791),
)
"""View_001 of PETS 2009 (S2.L1): a yard seen from about 7 m, 768 x 576 px."""
