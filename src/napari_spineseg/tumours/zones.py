"""Which part of the spine each voxel of a finding lies in, by where the labels around it are.

The foramen is the foraminal zone of Wiltse et al., *A system for reporting the size and location of
lesions in the spine*, Spine 1997, which the lumbar disc nomenclature 2.0 (Fardon et al., Spine J 2014)
uses: to the side, from the canal to the outer border of the pedicles; from the pedicle above to the one
below; between the back wall of bodies and discs, and the facets. It is called by the two vertebrae whose
pedicles bound it. Further out is paravertebral. Behind the back wall, bone is posterior elements, the
pedicles among them. All labels are sagittal: slices, rows downward, columns to the back.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from napari_spineseg.anatomy import CANAL_LABEL, FIRST_DISC_LABEL, MOST_LEVELS
from napari_spineseg.tumours.sac import Sac

# What lies behind the back wall by less may still be the body's, whose wall is hollow; mm.
_WALL_MM = 2.0
# Bone so far behind the wall, beside the canal, is pedicle; the facets are further back; mm.
_PEDICLE_MM = (1.0, 7.0)
_LEAST_PEDICLE_ML = 0.05
# Bodies and discs are round: to the side, the foramen begins before the wall; mm.
_ROUND_MM = 4.0
# Fat in front of the sac, most at L5/S1, and behind it, is no thicker; mm.
_EPIDURAL_MM = (10.0, 6.0)
# Slices that cut less of the column than this share of the fullest are beyond its pedicles.
_OUTERMOST = 0.3


class Zone(IntEnum):
    """A part of the spine, or what is beside it."""

    UNKNOWN = 0
    BODY = 1
    POSTERIOR = 2
    DISC = 3
    CANAL = 4
    EPIDURAL = 5
    FORAMEN = 6
    PARAVERTEBRAL = 7


@dataclass(frozen=True, eq=False)
class Zones:
    """The zone of each of n voxels, and its vertebra or disc: of a foramen the vertebra above."""

    zone: np.ndarray
    label: np.ndarray

    def share(self, *zones: Zone) -> float:
        """How many of the voxels lie in any of `zones`, 0 to 1."""
        return float(np.isin(self.zone, zones).mean())

    def most(self, *zones: Zone) -> int:
        """The label that most of the voxels in `zones` belong to, 0 where none has one."""
        there = self.label[np.isin(self.zone, zones) & (self.label > 0)]
        return int(np.bincount(there).argmax()) if len(there) else 0


def zones_of(
    near: np.ndarray, mine: np.ndarray, nearest: np.ndarray, sac: Sac | None, spacing: tuple[float, ...]
) -> Zones:
    """Tell where a finding's voxels are.

    A labelled voxel is where its label says. One without (the label was eaten away, or there is none) is in
    a body, disc or arch that lies on both sides of it along an axis.

    Parameters
    ----------
    near
        (slices, rows, columns), `levels` scheme, around the finding.
    mine
        The same shape, bool: the finding.
    nearest
        (n,) the label of each of its voxels, or the nearest one's.
    sac
        Where the canal is; without it, bone counts as body, and nothing is said of what has no label.
    spacing
        mm along the axes.
    """
    ahead = np.ones(near.shape, bool) if sac is None else sac.ahead(near.shape, _WALL_MM / spacing[2])
    seen = _Seen(near, mine, ahead, nearest)
    seen.labelled()
    if sac is not None:
        seen.settle((nearest == CANAL_LABEL) & sac.holds(seen.places, 1, 1), Zone.CANAL, 0)
    seen.enclosed()
    if sac is not None and seen.column.any():
        _unlabelled(seen, sac, spacing)
    return Zones(seen.zone, seen.label)


def _unlabelled(seen: _Seen, sac: Sac, spacing: tuple[float, ...]) -> None:
    """Settle what no structure holds, by the canal and the column beside it."""
    places, nearest = seen.places, seen.nearest
    well_ahead = sac.before(places, _ROUND_MM / spacing[2])
    eaten = well_ahead & seen.between(seen.column, (1,))
    seen.settle(eaten & (nearest < CANAL_LABEL), Zone.BODY, nearest)
    seen.settle(eaten & (nearest >= FIRST_DISC_LABEL), Zone.DISC, nearest)
    fat = sac.holds(places, *(mm / spacing[2] for mm in _EPIDURAL_MM))
    seen.settle(fat & seen.between(seen.near > 0, (2,)), Zone.EPIDURAL, 0)
    lateral = sac.lateral(places)
    foraminal = lateral & ~well_ahead & sac.before_back(places)
    foraminal &= _as_wide(seen.column)[places[:, 0], places[:, 1]]
    above = _foramen_rows(seen.near, seen.ahead, sac, spacing)[places[:, 1]]
    seen.settle(foraminal & (above > 0), Zone.FORAMEN, above)
    # Beside a pedicle, or where none is seen, nothing is certain; nor is it behind the canal.
    seen.settle(well_ahead | (lateral & ~foraminal), Zone.PARAVERTEBRAL, 0)


class _Seen:
    """A finding's n voxels among the labels: what was settled of each so far, and what is around it."""

    def __init__(self, near: np.ndarray, mine: np.ndarray, ahead: np.ndarray, nearest: np.ndarray) -> None:
        self.near, self.mine, self.ahead, self.nearest = near, mine, ahead, nearest
        self.vertebra = (near > 0) & (near <= MOST_LEVELS)
        self.disc = (near >= FIRST_DISC_LABEL) & (near < FIRST_DISC_LABEL + MOST_LEVELS)
        self.column = (self.vertebra | self.disc) & ahead
        self.places = np.argwhere(mine)
        self.box = tuple(
            slice(int(low), int(high) + 1)
            for low, high in zip(self.places.min(0), self.places.max(0), strict=True)
        )
        self.zone = np.zeros(len(self.places), np.uint8)
        self.label = np.zeros(len(self.places), np.int64)

    def settle(self, which: np.ndarray, zone: Zone, labels: np.ndarray | int) -> None:
        """Give those of `which` (n,) that have none a zone and a label."""
        new = which & (self.zone == Zone.UNKNOWN)
        self.zone[new] = zone
        self.label[new] = np.broadcast_to(labels, self.label.shape)[new]

    def labelled(self) -> None:
        """A labelled voxel is where its label says."""
        own, first = self.near[self.mine], self.ahead[self.mine]
        self.settle(self.vertebra[self.mine] & first, Zone.BODY, own)
        self.settle(self.vertebra[self.mine], Zone.POSTERIOR, own)
        self.settle(self.disc[self.mine], Zone.DISC, own)
        self.settle(own == CANAL_LABEL, Zone.CANAL, 0)

    def enclosed(self) -> None:
        """One between two parts of the same structure is in it."""
        first, every = self.ahead[self.mine], (0, 1, 2)
        for label in (int(n) for n in np.unique(self.near[self.vertebra | self.disc])):
            alike, zone = self.near == label, Zone.DISC if label >= FIRST_DISC_LABEL else Zone.BODY
            self.settle(first & self.between(alike & self.ahead, every), zone, label)
            arch = alike & ~self.ahead & self.vertebra
            self.settle(~first & self.between(arch, every), Zone.POSTERIOR, label)

    def between(self, mask: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        """(n,) bool: whether `mask` is met both ways along any of `axes`."""
        inside = self.mine[self.box]
        out = np.zeros(inside.shape, bool)
        for axis in axes:
            lines = mask[tuple(slice(None) if a == axis else span for a, span in enumerate(self.box))]
            before = np.logical_or.accumulate(lines, axis)
            after = np.flip(np.logical_or.accumulate(np.flip(lines, axis), axis), axis)
            spans = [slice(None)] * 3
            spans[axis] = self.box[axis]
            out |= (before & after)[tuple(spans)]
        return out[inside]


def _foramen_rows(near: np.ndarray, ahead: np.ndarray, sac: Sac, spacing: tuple[float, ...]) -> np.ndarray:
    """Of each row, the vertebra below whose pedicle, and above the next pedicle, it lies; 0 where none."""
    out = np.zeros(near.shape[1], np.int64)
    strip = (
        (near > 0) & (near <= MOST_LEVELS) & sac.strip(near.shape, *(mm / spacing[2] for mm in _PEDICLE_MM))
    )
    bands = {}
    for level in (int(n) for n in np.unique(near[strip])):
        count = (near == level).sum((0, 2), where=strip)
        if count.sum() * np.prod(spacing) / 1000 >= _LEAST_PEDICLE_ML:
            rows = np.flatnonzero(count >= count.max() / 2)
            bands[level] = rows[0], rows[-1]
    for level, (_, bottom) in bands.items():
        end = bands[level - 1][0] if level - 1 in bands else _floor(near, ahead, level)
        out[bottom + 1 : end] = level
    out[~sac.seen] = 0
    return out


def _as_wide(column: np.ndarray) -> np.ndarray:
    """(slices, rows) bool: whether a slice cuts bodies and discs well, and cuts any at that row."""
    cut = column.sum((1, 2))
    return (cut >= _OUTERMOST * cut.max())[:, None] & column.any(2)


def _floor(near: np.ndarray, ahead: np.ndarray, level: int) -> int:
    """The row where the foramen below `level` ends at the latest when the next pedicle is not seen."""
    disc = np.flatnonzero((near == FIRST_DISC_LABEL + level - 1).any((0, 2)))
    body = np.flatnonzero(((near == level - 1) & ahead).any((0, 2))) if level > 1 else ()
    if len(body):
        return int(body[0])
    return int(disc[-1]) + 1 if len(disc) else 0
