"""Scans with a landmark whose place in the world is known, in any orientation."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from napari_spineseg.scan import Scan, Segmentation

SHAPE = (12, 20, 18)
SPACING = (3.0, 1.2, 1.5)
# Off the centre along every axis, so that no flip goes unnoticed.
LANDMARK = np.array([6.6, 11.3, 7.2])


def orientations() -> list[np.ndarray]:
    """All 48 affines with axes along the patient's, and three oblique ones, one of them left-handed."""
    found = []
    for order in permutations(range(3)):
        for signs in product((1, -1), repeat=3):
            affine = np.eye(4)
            affine[:3, :3] = np.eye(3)[:, list(order)] * np.multiply(signs, SPACING)
            affine[:3, 3] = (-20, 31, 7)
            found.append(affine)
    for angle, source in ((0.2, 5), (0.4, 17), (-0.3, 40)):
        affine = found[source].copy()
        affine[:3, :3] = _rotation(angle) @ affine[:3, :3]
        found.append(affine)
    return found


def _rotation(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    about_z = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
    return about_z @ about_x


def blob_scan(affine: np.ndarray, shape=SHAPE, landmark=LANDMARK, width=1.7) -> Scan:
    """A smooth bump of float32 around the voxel position `landmark`."""
    at = np.indices(shape).astype(float)
    distance = sum((at[axis] - landmark[axis]) ** 2 for axis in range(3))
    return Scan((1000 * np.exp(-distance / (2 * width**2))).astype(np.float32), affine, name="blob")


def centroid(voxels: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """RAS mm of the centre of mass."""
    mass = voxels.astype(float) - voxels.min()
    index = [(mass * at).sum() / mass.sum() for at in np.indices(voxels.shape)]
    return affine[:3, :3] @ index + affine[:3, 3]


def ball(scan: Scan, radius_mm: float = 6.0) -> Segmentation:
    """Two labels, 7 and 201, that share a ball around the landmark."""
    at = np.stack(np.indices(scan.voxels.shape), -1) @ scan.affine[:3, :3].T + scan.affine[:3, 3]
    centre = scan.affine[:3, :3] @ LANDMARK + scan.affine[:3, 3]
    inside = np.linalg.norm(at - centre, axis=-1) < radius_mm
    labels = np.where(inside, np.where(at[..., 2] > centre[2], 7, 201), 0).astype(np.uint16)
    return Segmentation(labels, scan.affine, name="ball")


@pytest.fixture
def tissue_scan() -> Scan:
    """A sagittal scan of 10 slices: a bright disc-like body, noise, and air around it."""
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[:48, :40]
    body = ((rows - 24) / 20) ** 2 + ((columns - 20) / 15) ** 2 < 1
    stripes = 300 + 200 * ((rows // 6) % 2)
    slices = np.where(body, stripes, 20) + rng.normal(0, 12, (10, 48, 40))
    affine = np.array([[4.0, 0, 0, -18], [0, 0, -1.0, 20], [0, -1.0, 0, 24], [0, 0, 0, 1]])
    return Scan(np.clip(slices, 0, None).astype(np.int16), affine, name="tissue", sequence="T2")
