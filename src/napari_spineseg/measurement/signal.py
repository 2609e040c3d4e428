"""Signal of a disc against that of the canal beside it."""

from __future__ import annotations

import numpy as np

from napari_spineseg.measurement.canal import Canal
from napari_spineseg.measurement.disc import Disc
from napari_spineseg.measurement.reading import Reading, line
from napari_spineseg.measurement.settings import MeasureSettings
from napari_spineseg.measurement.space import Missing, Space
from napari_spineseg.measurement.stenosis import slab_at
from napari_spineseg.scan import Scan, Segmentation

# Fewer voxels are no median.
_FEWEST = 20


def voxels_of(scan: Scan | None, segmentation: Segmentation) -> np.ndarray | Missing:
    """The scan's voxels in the order of `Space.labels`, if it is the scan of this segmentation."""
    if scan is None:
        return Missing("no scan was given")
    if not scan.grid.same_place_as(segmentation.grid):
        return Missing("the scan and the segmentation are not on the same grid")
    return segmentation.grid.to_orientation().apply(scan.voxels)


def sequence_caution(scan: Scan | None) -> str:
    """What is to be said of a scan that is not T2-weighted."""
    if scan is None or scan.sequence == "T2":
        return ""
    if scan.sequence == "unknown":
        return (
            "It is not known whether this scan is T2-weighted; only there does it speak of water in the disc."
        )
    return f"This scan is {scan.sequence}, not T2: the ratio does not speak of water in the disc as in T2."


def disc_signal(
    space: Space,
    canal: Canal | None,
    disc: Disc | Missing,
    voxels: np.ndarray | Missing,
    settings: MeasureSettings,
    caution: str,
) -> Reading | Missing:
    """Median of the disc's inner half over that of the canal's, both in the midsagittal band."""
    for part in (voxels, disc):
        if isinstance(part, Missing):
            return part
    slab = slab_at(space, canal, disc.edges[1])
    if isinstance(slab, Missing):
        return slab
    inner, outline = _inner_half(space, disc)
    middle = float(np.average(slab.slices, weights=slab.weights))
    beside = np.abs(slab.slices - middle) * space.thickness <= max(settings.band_mm / 2, space.thickness / 2)
    front = slab.frame.local(slab.places)[:, 1]
    low, high = np.quantile(front[beside], (0.25, 0.75)) if beside.any() else (0.0, 0.0)
    beside &= (front >= low) & (front <= high)
    index = np.rint(space.index(slab.places[beside])).astype(int)
    if len(inner) < _FEWEST or len(index) < _FEWEST:
        return Missing("too few voxels of the disc or of the canal are seen")
    of_disc, of_canal = (np.median(voxels[tuple(part.T)].astype(float)) for part in (inner, index))
    if not np.isfinite([of_disc, of_canal]).all() or of_canal <= 0:
        return Missing("the canal has no signal in this scan")
    return Reading(float(of_disc / of_canal), caution, (outline,))


def _inner_half(space: Space, disc: Disc):
    """(n, 3) indices of the voxels in the inner half of depth and of height, and a mark around them."""
    local = np.argwhere(disc.mask)
    index = local + [b.start for b in disc.box]
    index = index[np.isin(index[:, 0], disc.slices)]
    _, front, up = disc.frame.local(space.world(index)).T
    middle = np.interp(front, disc.front, np.nan_to_num(disc.middles))
    height = np.interp(front, disc.front, disc.heights)
    inside = (np.abs(front) <= disc.depth / 4) & (np.abs(up - middle) <= height / 4)
    corners = [(s * disc.depth / 4, t) for s, t in ((1, 1), (1, -1), (-1, -1), (-1, 1), (1, 1))]
    ends = [
        (
            f,
            np.interp(f, disc.front, np.nan_to_num(disc.middles))
            + t * np.interp(f, disc.front, disc.heights) / 4,
        )
        for f, t in corners
    ]
    return index[inside], line(*(disc.frame.world(*end) for end in ends))
