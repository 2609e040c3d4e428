"""Smooth shapes as approximate signed distances: millimetres, negative inside.

Coordinates are given as three arrays that broadcast against each other. Distances are exact near
a surface of a sphere, capsule or plane and good to a few per cent elsewhere, which is all that a
soft edge one voxel wide asks for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Points = tuple[np.ndarray, np.ndarray, np.ndarray]
Vector = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Frame:
    """A place in the body with its own axes.

    Attributes
    ----------
    origin
        (3,) RAS mm.
    axes
        (3, 3), unit vectors to the right (u), front (v) and top (w) in its columns.
    """

    origin: np.ndarray
    axes: np.ndarray

    def local(self, points: Points) -> Points:
        """World coordinates (x, y, z) as (u, v, w) of this frame, float32."""
        x, y, z = (p - np.float32(o) for p, o in zip(points, self.origin, strict=True))
        a = self.axes.astype(np.float32)
        return tuple(x * a[0, k] + y * a[1, k] + z * a[2, k] for k in range(3))

    def world(self, point: Vector | np.ndarray) -> np.ndarray:
        """(3,) RAS mm of a local point."""
        return self.origin + self.axes @ np.asarray(point, float)

    def box(self, low: Vector, high: Vector) -> tuple[np.ndarray, np.ndarray]:
        """Corners, (3,) each, of the world-aligned box around the local box from `low` to `high`."""
        low, high = np.asarray(low, float), np.asarray(high, float)
        centre, half = self.world((low + high) / 2), np.abs(self.axes) @ ((high - low) / 2)
        return centre - half, centre + half


def rotation(tilt: float, roll: float = 0.0, twist: float = 0.0) -> np.ndarray:
    """(3, 3) axes of a body that leans forward by `tilt`, to the right by `roll`, and turns by `twist`.

    Angles in degrees. Columns are the body's right, front and up in RAS.
    """
    (st, ct), (sr, cr), (sw, cw) = (
        (np.sin(np.deg2rad(a)), np.cos(np.deg2rad(a))) for a in (tilt, roll, twist)
    )
    lean = np.array([[1, 0, 0], [0, ct, st], [0, -st, ct]])
    side = np.array([[cr, 0, sr], [0, 1, 0], [-sr, 0, cr]])
    turn = np.array([[cw, -sw, 0], [sw, cw, 0], [0, 0, 1]])
    return side @ lean @ turn


def smooth_union(a: np.ndarray, b: np.ndarray, radius: float) -> np.ndarray:
    """Union of two shapes with a fillet of about `radius` mm (Quilez's polynomial smooth minimum)."""
    overlap = np.maximum(radius - np.abs(a - b), 0.0)
    return np.minimum(a, b) - overlap * overlap * np.float32(0.25 / radius)


def smooth_intersection(a: np.ndarray, b: np.ndarray, radius: float) -> np.ndarray:
    """Intersection of two shapes with an edge rounded by about `radius` mm."""
    return -smooth_union(-a, -b, radius)


def ellipsoid(points: Points, centre: Vector, radii: Vector) -> np.ndarray:
    """Distance to an axis-aligned ellipsoid."""
    squares = [
        ((p - np.float32(c)) / np.float32(r)) ** 2 for p, c, r in zip(points, centre, radii, strict=True)
    ]
    return (np.sqrt(squares[0] + squares[1] + squares[2]) - 1) * np.float32(min(radii))


def ellipse(u: np.ndarray, v: np.ndarray, radius_u: np.ndarray, radius_v: np.ndarray) -> np.ndarray:
    """Distance to a tube of elliptic cross-section; radii may change along it (and reach 0)."""
    radius_u, radius_v = np.maximum(radius_u, 1e-3), np.maximum(radius_v, 1e-3)
    return (np.sqrt((u / radius_u) ** 2 + (v / radius_v) ** 2) - 1) * np.minimum(radius_u, radius_v)


def squarish(u: np.ndarray, v: np.ndarray, radius_u: np.ndarray, radius_v: np.ndarray) -> np.ndarray:
    """Distance to a tube between an ellipse and a box (superellipse of exponent 3), as the dural sac is."""
    radius_u, radius_v = np.maximum(radius_u, 1e-3), np.maximum(radius_v, 1e-3)
    sides = np.abs(u / radius_u) ** 3 + np.abs(v / radius_v) ** 3
    return (np.cbrt(sides) - 1) * np.minimum(radius_u, radius_v)


def strut(
    points: Points, start: Vector, end: Vector, radii: tuple[float, float], tall: float = 1.0
) -> np.ndarray:
    """Distance to a capsule from `start` to `end` whose radius changes linearly.

    Its cross-section is `tall` times as high (along w) as it is thick.
    """
    scale = np.array([1, 1, 1 / tall], np.float32)
    start, end = np.asarray(start, np.float32) * scale, np.asarray(end, np.float32) * scale
    axis = end - start
    p = [points[k] * scale[k] - start[k] for k in range(3)]
    along = np.clip((p[0] * axis[0] + p[1] * axis[1] + p[2] * axis[2]) / np.float32(axis @ axis), 0, 1)
    squares = [(p[k] - along * axis[k]) ** 2 for k in range(3)]
    thickness = np.float32(radii[0]) + along * np.float32(radii[1] - radii[0])
    return np.sqrt(squares[0] + squares[1] + squares[2]) - thickness


def plate(
    points: Points, start: Vector, end: Vector, half_thickness: float, half_heights: Vector
) -> np.ndarray:
    """Distance to an upright plate in the (v, w) plane from `start` to `end`, rounded at its edges.

    `half_heights` are the half heights at its start and end. Thickness runs along u.
    """
    (u0, v0, w0), (_, v1, w1) = start, end
    length = np.float32(v1 - v0)
    along = np.clip((points[1] - np.float32(v0)) / length, 0, 1)
    middle = np.float32(w0) + along * np.float32(w1 - w0)
    half = np.float32(half_heights[0]) + along * np.float32(half_heights[1] - half_heights[0])
    dw = np.abs(points[2] - middle) - half
    dv = np.abs(points[1] - np.float32((v0 + v1) / 2)) - abs(length) / 2
    du = np.abs(points[0] - np.float32(u0)) - np.float32(half_thickness)
    return smooth_intersection(smooth_intersection(dv, dw, 6.0), du, 1.5)
