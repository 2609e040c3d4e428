"""Whose voxel is it: from a read column to one label for every disc and vertebra voxel."""

from __future__ import annotations

from dataclasses import dataclass

import cc3d
import numpy as np

from napari_spineseg.instances.profile import Segment

_BODY_BACK = 18.0
_TILT_LIMIT = 1.0


@dataclass(frozen=True)
class Cut:
    """The surface between two vertebrae: `along = at + tilt * behind + lean * beside`, mm."""

    at: float
    tilt: float = 0.0
    lean: float = 0.0

    def height(self, behind: np.ndarray, beside: np.ndarray) -> np.ndarray:
        """`along` of the cut there. Behind and beside the bodies it goes on level."""
        return (
            self.at
            + self.tilt * np.clip(behind, -_BODY_BACK, _BODY_BACK)
            + self.lean * np.clip(beside, -25.0, 25.0)
        )


def assign_discs(segments: list[Segment], along: np.ndarray) -> np.ndarray:
    """Index into `segments` of the disc that each disc voxel is nearest to along the line, (n,) int, -1 for none."""
    discs = [k for k, segment in enumerate(segments) if segment.is_disc and segment.evidence > 0]
    if not discs:
        return np.full(along.shape, -1)
    centres = np.array([(segments[k].start + segments[k].stop) / 2 for k in discs])
    return np.array(discs)[np.searchsorted((centres[1:] + centres[:-1]) / 2, along)]


def fit_cut(segment: Segment, along: np.ndarray, behind: np.ndarray, beside: np.ndarray) -> Cut:
    """Least-squares plane through a disc's voxels; level at the segment's middle where there are few."""
    middle = (segment.start + segment.stop) / 2
    core = (np.abs(behind) < 20) & (np.abs(beside) < 25) & (np.abs(along - middle) < 15)
    if core.sum() < 50:
        return Cut(middle)
    design = np.stack([np.ones(core.sum()), behind[core], beside[core]], 1)
    # The ridge keeps a plane through two or three slices from leaning sideways.
    normal = design.T @ design + np.diag([0.0, 25.0, 200.0]) * 10
    at, tilt, lean = np.linalg.solve(normal, design.T @ along[core])
    return Cut(float(at), float(np.clip(tilt, -_TILT_LIMIT, _TILT_LIMIT)), float(np.clip(lean, -0.6, 0.6)))


def drop(behind: np.ndarray, pitch: float) -> np.ndarray:
    """How far posterior elements hang below their own disc, mm."""
    return 0.35 * pitch * np.clip((behind - 15.0) / 20.0, 0, 1)


def bands(cuts: list[Cut], pitches: list[float], along, behind, beside) -> np.ndarray:
    """How many cuts each voxel lies below: 0 for the topmost vertebra, (n,) int."""
    below = np.zeros(along.shape, int)
    for cut, pitch in zip(cuts, pitches, strict=True):
        below += along > cut.height(behind, beside) + drop(behind, pitch)
    return below
