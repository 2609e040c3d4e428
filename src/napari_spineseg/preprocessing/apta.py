"""APTA: how Ahmed et al. 2024 (arXiv 2409.06018) turned damaged grey masks back into four classes.

Their masks went through the same min-max to 8 bit and the same resizing as the images, which made
some sixteen grey values of four structures. APTA repairs that by rules, each a function here. It
is kept to reproduce the paper and to rescue masks that were damaged already; for everything else
`direct_map` gets it right from the start (`benchmarks/apta_cost.md` says by how much).

Arrays are (slices, height, width); every slice is on its own. Where the paper leaves a rule open,
the docstring says "our interpretation".
"""

from __future__ import annotations

import numpy as np

from napari_spineseg.anatomy import Structure
from napari_spineseg.preprocessing.published_slices import to_8_bit

_CLASSES = (Structure.BACKGROUND, Structure.VERTEBRA, Structure.DISC, Structure.CANAL)
_FOUR = ((-1, 0), (1, 0), (0, -1), (0, 1))
_EIGHT = (*_FOUR, (-1, -1), (-1, 1), (1, -1), (1, 1))


def apta(grey: np.ndarray) -> np.ndarray:
    """All rules in the published order: grey masks, uint8, to structures, uint8."""
    structures = classes_of_grey(grey)
    for rule in (smooth_neighbours, remove_outlines, settle_borders, remove_singletons, supply_vertebrae):
        structures = rule(structures)
    return structures


def damaged_masks(levels: np.ndarray, height: int = 640, width: int = 512) -> np.ndarray:
    """SPIDER labels as the paper's masks were: min-max to 8 bit slice by slice, then resized.

    Resized linearly, as image libraries do by default: our interpretation.
    """
    import torch
    from torch.nn import functional

    grey = torch.from_numpy(to_8_bit(levels)).float()[:, None]
    resized = functional.interpolate(grey, (height, width), mode="bilinear", align_corners=False)
    return resized[:, 0].round().byte().numpy()


def classes_of_grey(grey: np.ndarray) -> np.ndarray:
    """Rule 1: grey 1–10 vertebra, 90–180 canal, 180–255 disc, the rest background.

    180 itself is in both published ranges; it becomes disc: our interpretation.
    """
    table = np.zeros(256, np.uint8)
    table[1:11] = Structure.VERTEBRA
    table[90:180] = Structure.CANAL
    table[180:] = Structure.DISC
    return table[grey]


def smooth_neighbours(structures: np.ndarray) -> np.ndarray:
    """Rule 2: every pixel takes the most common class of its 3 × 3 neighbourhood, itself included.

    Of equally common classes the pixel's own stays, else the lowest number wins: our interpretation.
    """
    votes = _votes(structures, _EIGHT)
    _add_own(votes, structures)
    return _winner(votes, structures)


def remove_outlines(structures: np.ndarray) -> np.ndarray:
    """Rule 3: a pixel that differs from its most common 4-neighbour takes that class."""
    return _winner(_votes(structures, _FOUR), structures)


def settle_borders(structures: np.ndarray) -> np.ndarray:
    """Rule 4: a pixel on the edge of the picture takes the most common class of its 8-neighbours there are.

    What "border" refers to, and what happens there, is our interpretation.
    """
    out = structures.copy()
    settled = _winner(_votes(structures, _EIGHT), structures)
    for edge in (np.s_[:, 0], np.s_[:, -1], np.s_[:, :, 0], np.s_[:, :, -1]):
        out[edge] = settled[edge]
    return out


def remove_singletons(structures: np.ndarray) -> np.ndarray:
    """Rule 5: a pixel without an 8-neighbour of its own class takes their most common class."""
    votes = _votes(structures, _EIGHT)
    own = np.take_along_axis(votes, structures[None].astype(np.intp), 0)[0]
    return np.where(own == 0, votes.argmax(0).astype(np.uint8), structures)


def supply_vertebrae(structures: np.ndarray) -> np.ndarray:
    """Rule 6: in a slice with canal or disc but no vertebra, both become vertebra."""
    without = ~(structures == Structure.VERTEBRA).any((1, 2), keepdims=True)
    return np.where(without & (structures > 0), np.uint8(Structure.VERTEBRA), structures)


def _votes(structures: np.ndarray, offsets: tuple[tuple[int, int], ...]) -> np.ndarray:
    """(classes, slices, height, width) uint8: how many neighbours of each pixel are of each class."""
    votes = np.zeros((len(_CLASSES), *structures.shape), np.uint8)
    height, width = structures.shape[1:]
    for count, kind in zip(votes, _CLASSES, strict=True):
        mask = structures == kind
        for down, right in offsets:
            here = (slice(max(0, -down), height - max(0, down)), slice(max(0, -right), width - max(0, right)))
            there = (slice(max(0, down), height + min(0, down)), slice(max(0, right), width + min(0, right)))
            count[:, *here] += mask[:, *there]
    return votes


def _add_own(votes: np.ndarray, structures: np.ndarray) -> None:
    for count, kind in zip(votes, _CLASSES, strict=True):
        count += structures == kind


def _winner(votes: np.ndarray, structures: np.ndarray) -> np.ndarray:
    """The class with the most votes; the pixel's own where it has as many as any other."""
    own = np.take_along_axis(votes, structures[None].astype(np.intp), 0)[0]
    return np.where(own == votes.max(0), structures, votes.argmax(0).astype(np.uint8))
