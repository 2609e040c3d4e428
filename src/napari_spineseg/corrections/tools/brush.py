"""One stretch of a brush stroke."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from napari_spineseg.corrections.confine import ONLY_BACKGROUND, Rule
from napari_spineseg.corrections.edit import Edit, Spacing, edit_where, nothing

Point = tuple[float, float, float]


def stroke(
    labels: np.ndarray,
    start: Point,
    stop: Point,
    radius_mm: float,
    label: int,
    spacing: Spacing,
    axes: Collection[int] = (1, 2),
    rule: Rule = ONLY_BACKGROUND,
    erase: bool = False,
) -> Edit:
    """Paint `label` (or erase it) within `radius_mm` of the line from `start` to `stop`.

    A line, not dots: the stretch between two mouse events has no gaps however fast the mouse was.

    Parameters
    ----------
    labels
        (slices, rows, columns).
    start, stop
        Indices; they may lie outside of the volume.
    axes
        Along which the brush has its radius: two for a disc on a slice, three for a ball. Round in mm.
    rule
        What may be painted over, or erased.
    """
    ends = np.array([start, stop], float)
    steps = np.asarray(spacing)
    # The voxel under the mouse is always painted, however small the brush.
    reach = np.array([max(radius_mm / steps[n], 0.5) if n in axes else 0.0 for n in range(3)])
    low = np.round(ends.min(0) - reach).astype(int)
    high = np.round(ends.max(0) + reach).astype(int) + 1
    box = tuple(
        slice(max(0, int(a)), min(size, int(b))) for a, b, size in zip(low, high, labels.shape, strict=True)
    )
    if any(span.start >= span.stop for span in box):
        return nothing("Outside of the scan.")
    before = labels[box]
    touched = _near_the_line(box, ends, steps, max(radius_mm, 0.5 * min(steps[n] for n in axes)), axes)
    target = 0 if erase else label
    mask = touched & rule.allows(before, label, erase) & (before != target)
    return edit_where(mask, target, box, "Erased." if erase else "Painted.")


def _near_the_line(
    box: tuple[slice, ...], ends: np.ndarray, steps: np.ndarray, radius: float, axes: Collection[int]
) -> np.ndarray:
    """Voxels of `box` within `radius` mm of the line, counting distances along `axes` only."""
    grids = np.ogrid[box]
    across = [n for n in range(3) if n in axes]
    places = [grids[n] * steps[n] for n in across]
    first, line = ends[0][across] * steps[across], (ends[1] - ends[0])[across] * steps[across]
    length = float(line @ line)
    offsets = [place - start for place, start in zip(places, first, strict=True)]
    if length > 0:
        along = sum(offset * step for offset, step in zip(offsets, line, strict=True)) / length
        along = np.clip(along, 0.0, 1.0)
        offsets = [offset - along * step for offset, step in zip(offsets, line, strict=True)]
    inside = sum(offset**2 for offset in offsets) <= radius**2 * (1 + 1e-9)
    return np.broadcast_to(inside, tuple(span.stop - span.start for span in box))
