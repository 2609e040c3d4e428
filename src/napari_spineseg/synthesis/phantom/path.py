"""The dural sac's way down the spine, as functions of height.

Its centre line is single-valued in z (it never runs flat), so positions, slope and cross-section
are tabulated once against z; every slice reads the rows that it needs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d

from napari_spineseg.synthesis.phantom.spine import SacralSegment, Spine, Vertebra

_STEP_MM = 1.0
# How smoothly the sac bends around a step, mm.
_STIFFNESS_MM = 5.0
_EPIDURAL_GAP_MM = 0.8


@dataclass(frozen=True, eq=False)
class SacPath:
    """Columns tabulated against rising `z` (all 1D, mm): centre, half axes; and where things end."""

    z: np.ndarray
    x: np.ndarray
    y: np.ndarray
    half_depth: np.ndarray
    half_width: np.ndarray
    end_z: float
    conus_z: float

    def at(self, name: str, z: np.ndarray) -> np.ndarray:
        """A column ("x", "y", "half_depth", "half_width") at heights `z`, float32."""
        return np.interp(z, self.z, getattr(self, name)).astype(np.float32)

    def lean(self, z: np.ndarray) -> np.ndarray:
        """Cosine between the path and the vertical: turns a horizontal distance into one across the sac."""
        slope = np.interp(z, self.z, np.gradient(self.y, self.z))
        return (1 / np.sqrt(1 + slope**2)).astype(np.float32)


def sac_path(spine: Spine) -> SacPath:
    """Lay the sac behind the posterior walls, ending behind the second sacral segment."""
    points = [_behind_sacrum(s) for s in reversed(spine.sacrum)]
    points += [_behind_body(v) for v in spine.vertebrae]
    table = np.array(points)
    keep = np.concatenate([[True], np.diff(np.maximum.accumulate(table[:, 2])) > 1])
    table = table[keep]
    z = np.arange(table[0, 2] - 20, table[-1, 2] + 60, _STEP_MM)
    inside = np.clip(z, table[0, 2], table[-1, 2])
    columns = [PchipInterpolator(table[:, 2], table[:, k])(inside) for k in (0, 1, 3, 4)]
    slope = (table[-1, 1] - table[-2, 1]) / (table[-1, 2] - table[-2, 2])
    columns[1] = columns[1] + slope * np.maximum(z - table[-1, 2], 0)
    x, y, half_depth, half_width = (
        gaussian_filter1d(c, _STIFFNESS_MM / _STEP_MM, mode="nearest") for c in columns
    )
    end = float(spine.sacrum[1].frame.world((0, -20, 0))[2])
    taper = np.clip((z - end) / 26, 0, 1) ** 0.5
    conus = spine.vertebrae[min(spine.conus_label, len(spine.vertebrae)) - 1]
    return SacPath(
        z, x, y, half_depth * taper, half_width * taper, end, float(conus.frame.world((0, -30, -8))[2])
    )


def _behind_body(v: Vertebra) -> tuple[float, float, float, float, float]:
    """(x, y, z, half depth, half width) of the sac behind the middle of a vertebral body."""
    gap = _EPIDURAL_GAP_MM + (1.5 if v.label == 1 else 0)
    place = v.frame.world((0, v.back - gap - v.sac_depth / 2, 0))
    return (*place, v.sac_depth / 2, v.sac_width / 2)


def _behind_sacrum(s: SacralSegment) -> tuple[float, float, float, float, float]:
    """The same behind a sacral body; more fat lies in front of the sac there."""
    half = max(6.0 - 1.2 * s.index, 2.0)
    place = s.frame.world((0, -s.depth / 2 - 4.0 - half, 0))
    return (*place, half, half * 1.2)
