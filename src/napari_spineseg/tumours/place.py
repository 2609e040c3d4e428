"""Where a finding lies in the spine: which level, and how it relates to bone and canal."""

from __future__ import annotations

from dataclasses import dataclass

import edt
import numpy as np

from napari_spineseg.anatomy import CANAL_LABEL, Numbering, Structure, structure_of

# How far around a finding the anatomy is looked at, mm.
_AROUND_MM = 30.0
# Share of a finding in the canal from which it is of the canal, and from which it reaches into it.
_OF_CANAL, _INTO_CANAL = 0.65, 0.12
_IN_BONE = 0.25
# A finding that reaches this share of its height past a vertebra lies at two levels.
_TWO_LEVELS = 0.3
_FAR_MM = 999.0
BESIDE = "beside the spine"


@dataclass(frozen=True)
class Place:
    """Level and relation of a finding; `distance_mm` to the nearest labelled structure."""

    level: str
    relation: str
    distance_mm: float


def place_of(
    inside: np.ndarray,
    box: tuple[slice, slice, slice],
    levels: np.ndarray,
    spacing: tuple[float, float, float],
    numbering: Numbering = Numbering(),
) -> Place:
    """Place one finding.

    Parameters
    ----------
    inside
        Bool, the shape of `box`: the finding's voxels.
    box
        Where that is in `levels`.
    levels
        (slices, rows, columns), `levels` scheme; where the tumour has eaten the label away, the
        nearest label counts.

    Returns
    -------
    Place
        Level "" and relation "location unknown" without any anatomy.
    """
    wide, mine = _around(inside, box, levels.shape, spacing)
    near = levels[wide]
    known = near > 0
    if not known.any():
        nothing = not levels.any()
        return Place("", "location unknown" if nothing else BESIDE, 0.0 if nothing else _FAR_MM)
    distance = edt.edt(np.ascontiguousarray(~known, np.uint8), anisotropy=spacing)[mine]
    if float(distance.min()) > 0.5 * max(spacing) + 6:
        return Place(_level(near, mine, spacing, numbering), BESIDE, float(distance.min()))
    owner = _nearest(near, mine, float(distance.max()), spacing)
    kinds = np.array([structure_of(int(label)) for label in owner])
    canal, bone = (float((kinds == k).mean()) for k in (Structure.CANAL, Structure.VERTEBRA))
    level = _level(near, mine, spacing, numbering)
    if canal >= _OF_CANAL:
        return Place(level, "intradural", 0.0)
    if canal >= _INTO_CANAL:
        return Place(level, "epidural", 0.0)
    if bone < _IN_BONE:
        return Place(level, BESIDE, float(distance.min()))
    return Place(level, "posterior elements" if _behind(near, mine) else "body", 0.0)


def _around(
    inside: np.ndarray,
    box: tuple[slice, slice, slice],
    shape: tuple[int, ...],
    spacing: tuple[float, float, float],
) -> tuple[tuple[slice, slice, slice], np.ndarray]:
    """A window with room around `box`, and the finding in it."""
    reach = [int(np.ceil(_AROUND_MM / mm)) for mm in spacing]
    wide = tuple(
        slice(max(0, s.start - r), min(n, s.stop + r)) for s, r, n in zip(box, reach, shape, strict=True)
    )
    mine = np.zeros([s.stop - s.start for s in wide], bool)
    inner = tuple(slice(s.start - w.start, s.stop - w.start) for s, w in zip(box, wide, strict=True))
    mine[inner] = inside
    return wide, mine


def _nearest(
    near: np.ndarray, mine: np.ndarray, furthest_mm: float, spacing: tuple[float, float, float]
) -> np.ndarray:
    """The label of each voxel of the finding, or that of the nearest labelled one, at most so far away."""
    from scipy import ndimage

    if furthest_mm == 0:
        return near[mine]
    # No label further away than that can be the nearest of any voxel.
    places = np.argwhere(mine)
    reach = [int(np.ceil(furthest_mm / mm)) for mm in spacing]
    window = tuple(
        slice(max(0, low - r), high + r + 1)
        for low, high, r in zip(places.min(0), places.max(0), reach, strict=True)
    )
    near, mine = near[window], mine[window]
    at = ndimage.distance_transform_edt(
        near == 0, sampling=spacing, return_distances=False, return_indices=True
    )
    return near[tuple(axis[mine] for axis in at)]


def _level(
    near: np.ndarray, mine: np.ndarray, spacing: tuple[float, float, float], numbering: Numbering
) -> str:
    """The vertebra at whose height it is; two, as "L1/L2", where it reaches well into both.

    By the heights of the vertebral bodies and discs, since a mass in the canal touches none of them.
    """
    rows = np.flatnonzero(mine.any((0, 2)))
    bands = _bodies(near)
    if not bands or not len(rows):
        return ""
    middles = sorted((float(np.mean(band)), label) for label, band in bands.items())
    heights = np.array([m for m, _ in middles])
    labels = [label for _, label in middles]
    count = mine.sum((0, 2))[rows]
    owner = np.abs(rows[:, None] - heights[None]).argmin(1)
    shares = np.bincount(owner, count, len(labels)) / count.sum()
    first = int(shares.argmax())
    second = int(np.argsort(shares)[-2]) if len(shares) > 1 else first
    if second != first and shares[second] >= _TWO_LEVELS and abs(first - second) == 1:
        upper, lower = sorted((first, second))
        return f"{numbering.vertebra(labels[upper])}/{numbering.vertebra(labels[lower])}"
    return numbering.vertebra(labels[first])


def _bodies(near: np.ndarray) -> dict[int, np.ndarray]:
    """Rows of each vertebra in front of the canal."""
    canal = near == CANAL_LABEL
    columns = np.flatnonzero(canal.any((0, 1)))
    limit = int(np.median(columns)) if len(columns) else near.shape[2]
    front = near[..., : max(limit, 1)]
    bands = {}
    for label in np.unique(front[(front > 0) & (front < CANAL_LABEL)]):
        rows = np.flatnonzero((front == label).any((0, 2)))
        bands[int(label)] = rows[[0, -1]]
    return bands


def _behind(near: np.ndarray, mine: np.ndarray) -> bool:
    """Whether it lies behind the middle of the canal, row by row where there is one."""
    canal = near == CANAL_LABEL
    places = np.argwhere(canal)
    if not len(places):
        return False
    mean_column = np.argwhere(mine)[:, 2].mean()
    rows = np.argwhere(mine)[:, 1]
    beside = places[(places[:, 1] >= rows.min()) & (places[:, 1] <= rows.max())]
    return bool(mean_column > (beside if len(beside) else places)[:, 2].mean())
