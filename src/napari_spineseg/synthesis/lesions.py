"""Tumours that never were, painted into scans and phantoms, and look-alikes that are none.

No open spinal tumour MRI with masks is at hand, so tumours are made, as the label-free tumour
literature does (Hu et al., CVPR 2023). Places, borders and brightness follow the anatomy: a
metastasis eats bone and stops at the disc, a mass in the sac pushes the cord aside, an epidural one
grows from the body into the canal. Look-alikes (haemangioma, endplate change, Schmorl node, vessel,
facet fluid, herniation) are painted with the same tools and are *not* in the mask.

Everything is a pure function of its arguments and a seed; `draw` decides, `paint` paints.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from napari_spineseg.anatomy import Structure
from napari_spineseg.synthesis import lesion_lookalikes as lookalikes
from napari_spineseg.synthesis import lesion_places as places
from napari_spineseg.synthesis import lesion_tumours as tumours
from napari_spineseg.synthesis.lesion_greys import Greys
from napari_spineseg.synthesis.lesion_shapes import Form
from napari_spineseg.synthesis.lesion_sites import Centre, Slab
from napari_spineseg.synthesis.lesion_visibility import is_visible

_TRIES = 4
_NOT_IN_SAC = ("lobed", "spiky", "crescent", "ragged")


class Kind(StrEnum):
    """What is painted."""

    METASTASIS = "metastasis"
    INTRADURAL = "intradural mass"
    EPIDURAL = "epidural extension"
    POSTERIOR = "posterior element tumour"
    HAEMANGIOMA = "haemangioma"
    ENDPLATE = "endplate change"
    SCHMORL = "Schmorl node"
    VESSEL = "vessel"
    FACET_FLUID = "facet fluid"
    HERNIATION = "herniation"


TUMOURS = (Kind.METASTASIS, Kind.INTRADURAL, Kind.EPIDURAL)
"""Kinds that the bundled model learns from. `POSTERIOR`, with a texture of its own, is kept back: it
stands for the kind of tumour that a site has and the model never saw."""
LOOK_ALIKES = (
    Kind.HAEMANGIOMA,
    Kind.ENDPLATE,
    Kind.SCHMORL,
    Kind.VESSEL,
    Kind.FACET_FLUID,
    Kind.HERNIATION,
)
TRAINING_FORMS: tuple[Form, ...] = ("bumpy", "lobed")
MORE_FORMS: tuple[Form, ...] = ("spiky", "crescent", "ragged", "budding", "bent")
"""Outlines for training that no table is made with: who has seen many is not surprised by one more."""
HELD_OUT_FORMS: tuple[Form, ...] = ("boxy", "dumbbell")
"""Outlines that no model is trained on."""


@dataclass(frozen=True)
class Lesion:
    """One lesion, decided but not painted.

    Attributes
    ----------
    kind, form
        What it is and what outline it has.
    centre, radii
        mm along (x to the right, y down, z to the back), in the slab's coordinates.
    seed
        Outline, brightness and texture.
    """

    kind: Kind
    form: Form
    centre: Centre
    radii: tuple[float, float, float]
    seed: int

    @property
    def is_tumour(self) -> bool:
        """Whether it belongs into the mask."""
        return self.kind in TUMOURS or self.kind is Kind.POSTERIOR


@dataclass(frozen=True, eq=False)
class Painted:
    """What came of painting.

    Attributes
    ----------
    image
        (slices, height, width) float32.
    tumours
        (slices, height, width) uint8: n where the n-th painted *tumour* is (from 1), else 0.
    lesions
        What was painted, in order, tumours and look-alikes; those that missed the slab are left out.
    """

    image: np.ndarray
    tumours: np.ndarray
    lesions: tuple[Lesion, ...]

    @property
    def painted_tumours(self) -> tuple[Lesion, ...]:
        """Those of `lesions` that have a number in `tumours`, in the order of the numbers."""
        return tuple(lesion for lesion in self.lesions if lesion.is_tumour)


def draw(
    kind: Kind, slab: Slab, index: int, seed: int, forms: Sequence[Form] = TRAINING_FORMS
) -> Lesion | None:
    """Decide on one lesion of `kind` that shows in slice `index` of `slab`.

    Returns None where that slice has no place for it.
    """
    rng = np.random.default_rng([seed, 5])
    form: Form = forms[int(rng.integers(len(forms)))]
    found = _PLACES[kind](slab, index, rng)
    if found is None:
        return None
    centre, radii = found
    # A mass in the sac is round or oval whatever else grows elsewhere.
    if kind is Kind.INTRADURAL and form in _NOT_IN_SAC:
        form = "bumpy"
    off = float(rng.uniform(-0.5, 0.5)) * radii[0]
    return Lesion(kind, form, (centre[0] + off, *centre[1:]), radii, seed)


def paint(slab: Slab, lesions: Iterable[Lesion], sequence: str = "random") -> Painted:
    """Paint lesions into a slab, one after the other.

    Parameters
    ----------
    sequence
        Which contrast the image has (a name of `synthesis.contrast.LOOKS`): decides how bright a
        lesion is. `random` where the contrast was made up.
    """
    image = slab.image.astype(np.float32, copy=True)
    slab = Slab(image, slab.structures, slab.x_mm, slab.pixel_mm, slab.origin_mm)
    greys = Greys.of(image, slab.structures, sequence)
    masks = np.zeros(image.shape, np.uint8)
    done: list[Lesion] = []
    count = 0
    for lesion in lesions:
        window = slab.window(lesion.centre, 1.5 * max(lesion.radii) + 5)
        part = slab.part(window)
        if 0 in part.image.shape:
            continue
        inside = _painted(part, lesion, greys)
        if not inside.any():
            continue
        done.append(lesion)
        if lesion.is_tumour:
            count += 1
            masks[window][inside] = count
    return Painted(image, masks, tuple(done))


def _painted(part: Slab, lesion: Lesion, greys: Greys) -> np.ndarray:
    """Paint one lesion; where it is, bool. A tumour that does not show in any of some tries is left out."""
    before = part.image.copy()
    for attempt in range(_TRIES if lesion.is_tumour else 1):
        rng = np.random.default_rng([lesion.seed, 7, attempt])
        inside = _PAINTERS[lesion.kind](part, lesion, greys, rng)
        if not inside.any() or not lesion.is_tumour or is_visible(part, inside, before, greys.top):
            return inside
        part.image[...] = before
    return np.zeros_like(inside)


def scatter(
    slab: Slab,
    kinds: Iterable[Kind],
    seed: int,
    forms: Sequence[Form] = TRAINING_FORMS,
    apart_mm: float = 18.0,
) -> list[Lesion]:
    """Decide on a lesion for each of `kinds`, at random places of a whole slab, well apart.

    A kind for which no place is found in a few tries is left out.
    """
    rng = np.random.default_rng([seed, 11])
    labelled = np.flatnonzero((slab.structures == Structure.VERTEBRA).any((1, 2)))
    out: list[Lesion] = []
    for kind in kinds:
        for _ in range(12):
            if not len(labelled):
                break
            index = int(labelled[rng.integers(len(labelled))])
            lesion = draw(kind, slab, index, int(rng.integers(2**31)), forms)
            if lesion and all(np.linalg.norm(np.subtract(lesion.centre, o.centre)) > apart_mm for o in out):
                out.append(lesion)
                break
    return out


_PLACES = {
    Kind.METASTASIS: places.in_body,
    Kind.POSTERIOR: places.behind_canal,
    Kind.INTRADURAL: places.in_sac,
    Kind.EPIDURAL: places.from_wall(Structure.VERTEBRA, (3.0, 8.0), (7.0, 17.0)),
    Kind.HAEMANGIOMA: places.small_in_body,
    Kind.ENDPLATE: places.at_endplate,
    Kind.SCHMORL: places.through_endplate,
    Kind.VESSEL: places.into_body,
    Kind.FACET_FLUID: places.in_facet,
    Kind.HERNIATION: places.from_wall(Structure.DISC, (2.0, 5.0), (3.0, 7.0)),
}
_PAINTERS = {
    Kind.METASTASIS: tumours.metastasis,
    Kind.POSTERIOR: tumours.honeycomb,
    Kind.INTRADURAL: tumours.intradural,
    Kind.EPIDURAL: tumours.epidural,
    Kind.HAEMANGIOMA: lookalikes.haemangioma,
    Kind.ENDPLATE: lookalikes.endplate,
    Kind.SCHMORL: lookalikes.schmorl,
    Kind.VESSEL: lookalikes.vessel,
    Kind.FACET_FLUID: lookalikes.facet_fluid,
    Kind.HERNIATION: lookalikes.herniation,
}
