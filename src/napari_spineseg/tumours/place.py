"""Where a finding lies in the spine: which level, and how it relates to bone and canal."""

from __future__ import annotations

from dataclasses import dataclass

import edt
import numpy as np

from napari_spineseg.anatomy import CANAL_LABEL, Numbering, Structure, structure_of
from napari_spineseg.grid import Box, grown, relative_to
from napari_spineseg.tumours.sac import sac_of
from napari_spineseg.tumours.zones import Zone, Zones, zones_of

# How far around a finding the anatomy is looked at, mm.
_AROUND_MM = 30.0
# Share of a finding in the canal from which it is of the canal, and from which it reaches into it.
_OF_CANAL, _INTO_CANAL = 0.65, 0.12
_IN_BONE = 0.25
# Of foramen, disc and what is beside the spine, more than half must be there.
_MOSTLY = 0.5
# A finding that reaches this share of its height past a vertebra lies at two levels.
_TWO_LEVELS = 0.3
# What is further from every label is no more than beside the spine.
_BESIDE_MM = 20.0
_FAR_MM = 999.0
FAR = "beside the spine"


@dataclass(frozen=True)
class Place:
    """Level and relation of a finding.

    Attributes
    ----------
    level
        "L3", "L1/L2"; "" if no vertebra is near.
    relation
        "body", "posterior elements", "vertebra" (without a canal nothing tells which of the two), "disc",
        "foramen", "intradural", "epidural", "paravertebral"; "beside" where it cannot be told; "beside the
        spine" far from every label; "location unknown" without any.
    distance_mm
        To the nearest labelled structure.
    of_spine
        Whether bone or canal is what it is nearest to: a model that knows only tumours of these is not
        to be believed elsewhere.
    """

    level: str
    relation: str
    distance_mm: float
    of_spine: bool = True

    @property
    def where(self) -> str:
        """ "L3 body", "L1/L2 foramen", "intradural at L1/L2", "beside L1"."""
        return in_words(self.level, self.relation)


def in_words(level: str, relation: str) -> str:
    """A place as a radiologist says it.

    >>> in_words("L3", "body"), in_words("L1/L2", "foramen"), in_words("L4", "paravertebral")
    ('L3 body', 'L1/L2 foramen', 'paravertebral at L4')
    >>> in_words("L1", "beside"), in_words("", "beside"), in_words("", "epidural")
    ('beside L1', 'beside the spine', 'epidural')
    """
    if relation == "beside":
        return f"beside {level or 'the spine'}"
    if not level:
        return relation
    if relation in ("body", "posterior elements", "vertebra", "disc", "foramen"):
        return f"{level} {relation}"
    return f"{relation} at {level}"


def place_of(
    inside: np.ndarray,
    box: Box,
    levels: np.ndarray,
    spacing: tuple[float, float, float],
    numbering: Numbering = Numbering(),
) -> Place:
    """Place one finding, as `zones` tells the parts of the spine apart.

    Parameters
    ----------
    inside
        Bool, the shape of `box`: the finding's voxels.
    box
        Where that is in `levels`.
    levels
        (slices, rows, columns), `levels` scheme; where the tumour has eaten the label away, what is around
        counts.

    Returns
    -------
    Place
        Level "" and relation "location unknown" without any anatomy.
    """
    wide, mine = _around(inside, box, levels.shape, spacing)
    near = levels[wide]
    known = near > 0
    if not known.any():
        return Place("", FAR, _FAR_MM, False) if levels.any() else Place("", "location unknown", 0.0)
    distance = edt.edt(np.ascontiguousarray(~known, np.uint8), anisotropy=spacing)[mine]
    level = _level(near, mine, numbering)
    away = float(distance.min())
    if away > 0.5 * max(spacing) + 6:
        return Place(level, "paravertebral" if level and away <= _BESIDE_MM else FAR, away, False)
    nearest = _nearest(near, mine, float(distance.max()), spacing)
    kinds = np.array([structure_of(int(label)) for label in nearest])
    canal, bone = (float((kinds == k).mean()) for k in (Structure.CANAL, Structure.VERTEBRA))
    of_spine = canal >= _INTO_CANAL or bone >= _IN_BONE
    # From the front of a body it is further to the canal than the window reaches.
    sac = sac_of(levels[:, wide[1]], spacing[1])
    sac = None if sac is None else sac.from_corner(wide[0].start, wide[2].start)
    zones = zones_of(near, mine, nearest, sac, spacing)
    level, relation = _named(zones, level, numbering)
    if sac is None and relation in ("body", "posterior elements"):
        relation = "vertebra"
    return Place(level, relation, away, of_spine)


def _named(zones: Zones, level: str, numbering: Numbering) -> tuple[str, str]:
    """Level and relation by where most of it lies; `level` is the one at its height.

    In the canal or in bone less than most is enough: that it reaches there is what matters.
    """
    foramen, disc = (zones.most(zone) for zone in (Zone.FORAMEN, Zone.DISC))
    if zones.share(Zone.FORAMEN) >= _MOSTLY:
        return f"{numbering.vertebra(foramen)}/{numbering.vertebra(foramen - 1)}", "foramen"
    if zones.share(Zone.CANAL) >= _OF_CANAL:
        return level, "intradural"
    if zones.share(Zone.CANAL, Zone.EPIDURAL) >= _INTO_CANAL:
        return level, "epidural"
    if zones.share(Zone.DISC) >= _MOSTLY:
        return numbering.disc(disc), "disc"
    body, behind = (zones.share(zone) for zone in (Zone.BODY, Zone.POSTERIOR))
    if body + behind >= _IN_BONE:
        # A spinous process reaches down to the next vertebra's height, so its label says more.
        bone = numbering.vertebra(zones.most(Zone.POSTERIOR))
        return (level, "body") if body >= behind else (bone, "posterior elements")
    return level, "paravertebral" if zones.share(Zone.PARAVERTEBRAL) >= _MOSTLY else "beside"


def _around(
    inside: np.ndarray,
    box: Box,
    shape: tuple[int, ...],
    spacing: tuple[float, float, float],
) -> tuple[Box, np.ndarray]:
    """A window with room around `box`, and the finding in it."""
    reach = [int(np.ceil(_AROUND_MM / mm)) for mm in spacing]
    wide = grown(box, reach, shape)
    mine = np.zeros([s.stop - s.start for s in wide], bool)
    mine[relative_to(box, wide)] = inside
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


def _level(near: np.ndarray, mine: np.ndarray, numbering: Numbering) -> str:
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
