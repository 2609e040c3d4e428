"""Clean-up that knows anatomy: what floats where no spine is goes, small holes are closed.

Nothing is invented: no voxel becomes part of a structure that does not surround it.
"""

from __future__ import annotations

import cc3d
import numpy as np

from napari_spineseg.instances.column import Coordinates

# Half the width, mm, that vertebrae take at each distance behind the centre line (the widest of 40
# SPIDER volumes and some room): a loose piece outside is not spine.
_BEHIND = np.array([-32.0, -25.0, -18.0, -8.0, 5.0, 18.0, 30.0, 40.0, 48.0, 60.0, 78.0, 86.0])
_REACH = np.array([0.0, 22.0, 30.0, 42.0, 46.0, 54.0, 58.0, 50.0, 30.0, 16.0, 14.0, 0.0])
_BODY_DEPTH, _BODY_WIDTH = 10.0, 10.0
_SMALLEST_PIECE_ML = 0.05
_FARTHEST_FRAGMENT = 12.0
_LARGEST_HOLE = 120.0


def keep_bone(mask: np.ndarray, where: Coordinates, amount: np.ndarray, voxel_ml: float) -> np.ndarray:
    """Which bone belongs to the spine: what hangs on a body, and loose pieces where posterior elements are.

    Parameters
    ----------
    mask
        (slices, rows, columns) bool.
    where, amount
        Coordinates of its n set voxels in array order, and how much each holds.

    Returns
    -------
    numpy.ndarray
        (n,) bool.
    """
    pieces = cc3d.connected_components(mask, connectivity=26)[mask]
    core = (np.abs(where.behind) < _BODY_DEPTH) & (np.abs(where.beside) < _BODY_WIDTH)
    inside = np.abs(where.beside) < np.interp(where.behind, _BEHIND, _REACH, 0.0, 0.0)
    size = np.bincount(pieces, amount)
    hangs = np.bincount(pieces, core * amount) > 0.02 * size
    plausible = np.bincount(pieces, inside * amount) >= 0.5 * size
    large = size * voxel_ml >= _SMALLEST_PIECE_ML
    return (hangs | (plausible & large))[pieces]


def keep_canal(canal: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """One canal: its main piece, and fragments that carry it on. (slices, rows, columns) bool.

    Stenosis and scoliosis break a canal into pieces that lie on one curve; what lies off it is not canal.
    """
    pieces = cc3d.connected_components(canal, connectivity=26)
    sizes = np.bincount(pieces.ravel())
    if len(sizes) <= 2:
        return canal
    sizes[0] = 0
    stats = cc3d.statistics(pieces)
    centres = stats["centroids"] * np.asarray(spacing)
    main = pieces == sizes.argmax()
    rows = np.flatnonzero(main.any((0, 2)))
    line = np.array([[z.mean(), y, x.mean()] for y in rows for z, x in [np.nonzero(main[:, y])]]) * spacing
    keep = np.zeros(len(sizes), bool)
    for piece in range(1, len(sizes)):
        gap = abs(centres[piece, 1] - np.clip(centres[piece, 1], line[0, 1], line[-1, 1]))
        nearest = line[np.abs(line[:, 1] - centres[piece, 1]).argmin()]
        # Beyond the main piece's ends the canal may run on at a slant.
        away = np.linalg.norm((centres[piece] - nearest)[[0, 2]])
        keep[piece] = away < _FARTHEST_FRAGMENT + 1.2 * gap
    keep[sizes.argmax()] = True
    return keep[pieces]


def fill_holes(labels: np.ndarray, spacing: tuple[float, float, float]) -> None:
    """Close background holes of up to 1.2 cm² that one label surrounds in a slice. Works in place.

    Parameters
    ----------
    labels
        (slices, rows, columns) uint8.
    """
    largest = _LARGEST_HOLE / (spacing[1] * spacing[2])
    for plane in labels:
        if plane.any():
            _fill_plane(plane, largest)


def _fill_plane(plane: np.ndarray, largest: float) -> None:
    """Fill the holes of one slice that have a single label around them."""
    # The frame joins all background that reaches the border, so that none of it is a hole.
    framed = np.pad(plane, 1)
    holes, count = cc3d.connected_components(framed == 0, connectivity=4, return_N=True)
    if count < 2:
        return
    small = np.bincount(holes.ravel(), minlength=count + 1) <= largest
    small[[0, holes[0, 0]]] = False
    places = np.flatnonzero(small[holes])
    flat, hole = framed.ravel(), holes.ravel()[places]
    around = np.zeros((count + 1, 256), bool)
    for step in (-1, 1, -framed.shape[1], framed.shape[1]):
        around[hole, flat[places + step]] = True
    # A hole is next to itself, that is background; apart from that one label may be around it.
    alone = around[:, 1:].sum(1) == 1
    values = np.where(alone, around[:, 1:].argmax(1) + 1, 0)
    rows, columns = np.unravel_index(places, framed.shape)
    plane[rows - 1, columns - 1] = values[hole]
