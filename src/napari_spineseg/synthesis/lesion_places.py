"""Where in a slice a lesion lies, by what it is, and how large it is.

Each function draws from `rng` and answers with centre and radii, mm along (x to the right, y down, z to the
back) in the slab's coordinates, or None where the slice has no place for it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from napari_spineseg.anatomy import Structure
from napari_spineseg.synthesis import lesion_sites as sites
from napari_spineseg.synthesis.lesion_sites import Centre, Slab, Wall

Found = tuple[Centre, tuple[float, float, float]]
"""Centre and radii."""


def in_body(slab: Slab, index: int, rng: np.random.Generator) -> Found | None:
    """A place in a body; one in seven is as large as the body."""
    centre = sites.bone_site(slab, index, rng)
    size = 15 if rng.random() < 0.15 else rng.uniform(3.5, 11)
    return centre and (centre, tuple(size * rng.uniform(0.75, 1.25, 3)))


def behind_canal(slab: Slab, index: int, rng: np.random.Generator) -> Found | None:
    """A place in the posterior elements."""
    centre = sites.bone_site(slab, index, rng, behind=True)
    return centre and (centre, tuple(rng.uniform(5, 10, 3)))


def in_sac(slab: Slab, index: int, rng: np.random.Generator) -> Found | None:
    """A place in the canal, with room for it between front and back; None where the canal is too narrow."""
    wall = sites.wall_site(slab, index, rng, None)
    if wall is None:
        return None
    half = (wall.back - wall.front) * slab.pixel_mm / 2
    radius = min(half * rng.uniform(0.45, 0.95), 9.0)
    if radius < 2.2:
        return None
    column = (wall.front + wall.back) / 2 + rng.uniform(-1, 1) * (half - radius) / slab.pixel_mm
    return slab.place(index, wall.row, column), (radius, radius * rng.uniform(1.0, 2.0), radius)


def from_wall(
    against: Structure, deep: tuple[float, float], long: tuple[float, float]
) -> Callable[[Slab, int, np.random.Generator], Found | None]:
    """What grows from the front into the canal, behind a vertebra or a disc (`against`).

    `deep` and `long`: how deep and half how high it is, from and to, mm. Radii are (half width, half height,
    depth).
    """

    def site(slab: Slab, index: int, rng: np.random.Generator) -> Found | None:
        wall: Wall | None = sites.wall_site(slab, index, rng, against)
        if wall is None:
            return None
        depth = min(rng.uniform(*deep), 0.7 * (wall.back - wall.front) * slab.pixel_mm)
        radii = (rng.uniform(6, 11), rng.uniform(*long), depth)
        return slab.place(index, wall.row, wall.front), radii

    return site


def small_in_body(slab: Slab, index: int, rng: np.random.Generator) -> Found | None:
    """A place in a body, never as large as it."""
    centre = sites.bone_site(slab, index, rng)
    return centre and (centre, tuple(rng.uniform(3.5, 9) * rng.uniform(0.8, 1.2, 3)))


def at_endplate(slab: Slab, index: int, rng: np.random.Generator) -> Found | None:
    """A place at an endplate, as wide as a change of marrow."""
    centre = sites.endplate_site(slab, index, rng)
    return centre and (centre, (rng.uniform(8, 16), rng.uniform(4, 9), rng.uniform(8, 18)))


def through_endplate(slab: Slab, index: int, rng: np.random.Generator) -> Found | None:
    """A small place at an endplate, for what breaks in from the disc."""
    centre = sites.endplate_site(slab, index, rng)
    return centre and (centre, tuple(rng.uniform(2.5, 5.5, 3)))


def into_body(slab: Slab, index: int, rng: np.random.Generator) -> Found | None:
    """From the back of a body forward; radii are (half width, half height, length)."""
    wall = sites.wall_site(slab, index, rng, Structure.VERTEBRA)
    length, radius = rng.uniform(8, 16), rng.uniform(0.9, 2.2)
    return wall and (slab.place(index, wall.row, wall.front), (radius, radius, length))


def in_facet(slab: Slab, index: int, rng: np.random.Generator) -> Found | None:
    """A thin place beside the joints behind the canal."""
    centre = sites.facet_site(slab, index, rng)
    return centre and (centre, (rng.uniform(0.8, 1.5), rng.uniform(3, 6), rng.uniform(1, 4)))
