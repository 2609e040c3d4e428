"""Click to fix: a click says what a place is, and what is like it around it follows.

Each voxel has odds of belonging to the structure: the model's where there is one, else the labels as
they are. A click that says otherwise is an observation of a Gaussian
process over these odds (Rasmussen and Williams, 2006, chapter 2): it moves them where the picture
looks alike and the click is near, and nowhere else. How near depends on how deep the click is inside
of what it calls wrong: a click in the middle of a missing body speaks for the body, one beside a
border for a sliver. What changes hangs together with the click; all else stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cc3d
import numpy as np
from scipy import ndimage

from napari_spineseg.corrections.confine import ONLY_BACKGROUND, Rule
from napari_spineseg.corrections.edit import Edit, Spacing, edit_to, nothing
from napari_spineseg.grid import Box

Point = tuple[float, float, float]

REACH_MM = 24.0
"""How far from a click labels may change, in the slice."""
_REACH_ACROSS_MM = 10.0
# The click speaks for what is this near, mm: a little, and as much again as it is deep.
_NEAR_MM, _NEAREST_MM, _FARTHEST_MM = 1.0, 2.0, 10.0
# Slices beside the clicked one hear half of that.
_ACROSS, _LEAST_ACROSS_MM = 0.5, 1.5
# Grey values this far apart, as a share of the picture's range, are no longer alike.
_ALIKE = 0.6
# Networks are surer than they are right: logits are divided by this.
_SOFTER = 1.5
# Without a model the labels as they are count for so much that a click reaches little further than it is
# deep: a guess from grey values alone did harm as often as not.
_BLIND_ODDS = 3.0
# Odds, as logits, are believed this far, and those of the labels as they are at least that far.
_MOST_ODDS, _LEAST_ODDS = 4.0, 0.2
_TARGET = 1.0
# How much of an observation is noise; two clicks at one place would leave no solution without any.
_NOISE = 1e-2
_SEED_MM = 1.2


@dataclass(frozen=True)
class Hints:
    """What a person pointed at: index coordinates (slice, row, column)."""

    inside: Sequence[Point] = ()
    outside: Sequence[Point] = ()

    def __add__(self, other: Hints) -> Hints:
        """Both."""
        return Hints((*self.inside, *other.inside), (*self.outside, *other.outside))


def box_around(hints: Hints, shape: tuple[int, int, int], spacing: Spacing, axis: int = 0) -> Box:
    """The part of the volume that `fix_by_click` looks at, for giving it the odds of no more than that."""
    points = np.array([*hints.inside, *hints.outside], float)
    reach = [_REACH_ACROSS_MM if n == axis else REACH_MM for n in range(3)]
    low = np.floor(points.min(0) - np.divide(reach, spacing)).astype(int)
    high = np.ceil(points.max(0) + np.divide(reach, spacing)).astype(int) + 1
    return tuple(slice(max(0, int(a)), min(n, int(b))) for a, b, n in zip(low, high, shape, strict=True))


def fix_by_click(
    labels: np.ndarray,
    image: np.ndarray,
    label: int,
    hints: Hints,
    spacing: Spacing,
    odds: np.ndarray | None = None,
    axis: int = 0,
    rule: Rule = ONLY_BACKGROUND,
) -> Edit:
    """Let clicks decide what is `label` around them.

    Parameters
    ----------
    labels, image
        (slices, rows, columns), the same shape.
    hints
        Points on `label` and points that are not. At least one.
    spacing
        mm along the axes.
    odds
        (shape of `box_around(hints, ...)`): logits of being `label`, as the model sees it. Without it
        a click reaches less far.
    axis
        Across which axis slices are shown: the clicks count less across it.
    rule
        What may become `label`; by default background only.
    """
    if not hints.inside and not hints.outside:
        return nothing("Click on what belongs to the structure, or beside it.")
    box = box_around(hints, labels.shape, spacing, axis)
    before = labels[box]
    inside = before == label
    free = rule.allows(before, label) & ~inside
    grey = _grey(image[box])
    clicks = [
        *(_click(p, box, ~inside, spacing, axis, 1.0) for p in hints.inside),
        *(_click(p, box, inside, spacing, axis, -1.0) for p in hints.outside),
    ]
    if odds is None:
        odds = np.where(inside, _BLIND_ODDS, -_BLIND_ODDS)
    moved = _moved(_trusted(odds, inside), grey, clicks, spacing)
    seeds = [_seeds([c for c in clicks if c.says == side], before.shape, spacing) for side in (1.0, -1.0)]
    added = _at_click((moved > 0) & free | seeds[0] & free, seeds[0]) & ~seeds[1]
    removed = _at_click((moved < 0) & inside | seeds[1] & inside, seeds[1]) & ~seeds[0]
    after = before.copy()
    after[added], after[removed] = label, 0
    edit = edit_to(before, after, box, "Fixed around the click.")
    if len(edit):
        return edit
    return nothing("Nothing changed there; click again, or allow more to be painted over.")


@dataclass(frozen=True)
class _Click:
    """One click inside of a box.

    Attributes
    ----------
    at, index
        Where in the box: exactly, and the voxel.
    says
        1 for *belongs to it*, -1 for *does not*.
    near
        How far it speaks along each axis, mm.
    """

    at: np.ndarray
    index: tuple[int, int, int]
    says: float
    near: np.ndarray


def _click(point: Point, box: Box, wrong: np.ndarray, spacing: Spacing, axis: int, says: float) -> _Click:
    """The click at `point`. `wrong: (shape of box)` is where the labels are not what it says."""
    at = np.array([p - span.start for p, span in zip(point, box, strict=True)])
    index = tuple(min(max(round(float(v)), 0), n - 1) for v, n in zip(at, wrong.shape, strict=True))
    in_slice = [n for n in range(3) if n != axis]
    plane = np.take(wrong, index[axis], axis)
    # One pixel of frame: what goes on beyond the box is not known to be wrong.
    far = ndimage.distance_transform_edt(np.pad(plane, 1), sampling=[spacing[n] for n in in_slice])
    depth = float(far[1:-1, 1:-1][tuple(index[n] for n in in_slice)])
    near = np.full(3, min(max(_NEAR_MM + depth, _NEAREST_MM), _FARTHEST_MM))
    near[axis] = max(_LEAST_ACROSS_MM, _ACROSS * near[axis])
    return _Click(at, index, says, near)


def _trusted(odds: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Odds that agree with the labels as they are: whoever drew them had a reason."""
    odds = np.clip(odds / _SOFTER, -_MOST_ODDS, _MOST_ODDS).astype(np.float32)
    return np.where(inside, np.maximum(odds, _LEAST_ODDS), np.minimum(odds, -_LEAST_ODDS))


def _moved(odds: np.ndarray, grey: np.ndarray, clicks: Sequence[_Click], spacing: Spacing) -> np.ndarray:
    """Mean of the process after the clicks: odds + k(., clicks) (K + noise)^-1 (said - odds there)."""
    alike = [_alike(grey, click, spacing) for click in clicks]
    kernel = np.array([[there[click.index] for click in clicks] for there in alike])
    said = [max(0.0, _TARGET - c.says * float(odds[c.index])) * c.says for c in clicks]
    weights = np.linalg.solve(kernel + _NOISE * np.eye(len(clicks)), np.array(said))
    return odds + sum(np.float32(weight) * there for weight, there in zip(weights, alike, strict=True))


def _alike(grey: np.ndarray, click: _Click, spacing: Spacing) -> np.ndarray:
    """How much each voxel has to do with a click, 0 to 1: near it, and of its grey."""
    grids = np.ogrid[tuple(slice(0, n) for n in grey.shape)]
    out = ((grey - grey[click.index]) / _ALIKE) ** 2
    for grid, at, step, near in zip(grids, click.at, spacing, click.near, strict=True):
        out += (((grid - at) * (step / near)) ** 2).astype(np.float32)
    return np.exp(-0.5 * out)


def _at_click(change: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """The pieces of `change`, freed of threads, that a click is in or right beside."""
    if not seeds.any():
        return np.zeros_like(change)
    in_slice = ndimage.generate_binary_structure(3, 1)
    in_slice[[0, 2]] = False
    change = ndimage.binary_opening(change, in_slice) | (seeds & change)
    pieces = cc3d.connected_components(change, connectivity=6)
    wanted = np.unique(pieces[ndimage.binary_dilation(seeds) & change])
    return np.isin(pieces, wanted[wanted > 0])


def _seeds(clicks: Sequence[_Click], shape: tuple[int, ...], spacing: Spacing) -> np.ndarray:
    """Voxels that are what a click says whatever they look like."""
    out = np.zeros(shape, bool)
    for click in clicks:
        reach = [int(_SEED_MM / step) for step in spacing]
        box = tuple(
            slice(max(0, c - r), min(n, c + r + 1)) for c, r, n in zip(click.index, reach, shape, strict=True)
        )
        grids = np.ogrid[box]
        squares = [((g - c) * s) ** 2 for g, c, s in zip(grids, click.index, spacing, strict=True)]
        out[box] |= sum(squares) <= _SEED_MM**2
    return out


def _grey(image: np.ndarray) -> np.ndarray:
    """The image, slightly blurred, with most of it between 0 and 1."""
    soft = ndimage.gaussian_filter(image.astype(np.float32), (0, 0.7, 0.7))
    low, high = np.percentile(soft[:, ::2, ::2], (5, 95))
    return (soft - low) / max(float(high - low), 1e-6)
