"""What keeps a tumour model from forgetting: phantoms with painted tumours and look-alikes.

The phantoms that other models replay show no tumour: on them a model that forgot all tumours would look
as good as before. So for models that look for tumours alone, replay and guard are painted.
"""

from __future__ import annotations

import numpy as np

from napari_spineseg.anatomy import Structure
from napari_spineseg.core.inputs import InputSpec
from napari_spineseg.datasets.crops import Batch, CropSettings
from napari_spineseg.datasets.prepared import load_prepared
from napari_spineseg.learning.reading import evenly
from napari_spineseg.learning.stages.replay import FOR_GUARD, MAPS
from napari_spineseg.learning.tumour.cases import painted_on, shown
from napari_spineseg.learning.tumour.patch import PatchSettings
from napari_spineseg.learning.tumour.patches import PatchSampler
from napari_spineseg.learning.verdict.guard import GuardScan, on_grid
from napari_spineseg.synthesis.lesions import TRAINING_FORMS

_SIDE_MM = 128.0
_GUARD_LOOKS = ("T2", "STIR", "T1", "Gd T1")
_GUARD_SEED, _PAINTINGS = 5000, 6
_SLICES_A_SCAN = 3


def looks_for_tumours_alone(table: np.ndarray) -> bool:
    """Whether a network with these classes (see `reading.class_table`) knows tumours and nothing else."""
    known = np.flatnonzero(table)
    return len(known) == 1 and known[0] == Structure.TUMOUR


def square(settings: CropSettings, spec: InputSpec, shrink: int = 1) -> CropSettings:
    """Crops as wide as high, the size of replayed patches."""
    side = spec.pixels_of(_SIDE_MM, shrink)
    return settings.model_copy(update={"height_px": side, "width_px": side})


class TumourReplay:
    """Patches of painted phantoms. `batch(step, count)` is a pure function of its arguments and the seed."""

    def __init__(self, spec: InputSpec, seed: int, shrink: int = 1) -> None:
        patches = PatchSettings(pixel_mm=spec.spacing_mm, sizes_px=(spec.pixels_of(_SIDE_MM, shrink),))
        self._sampler = PatchSampler(load_prepared(MAPS)[:-FOR_GUARD], patches, seed)

    def batch(self, step: int, count: int) -> Batch:
        """The batch of a step; the targets are there for completeness, the parent answers."""
        drawn = self._sampler.draw(step, count)
        weight = drawn.target.new_ones(drawn.target.shape).float()
        return Batch(drawn.image[:count], drawn.target[:count], weight[:count])


def tumour_guard(spec: InputSpec) -> list[GuardScan]:
    """Painted scans of phantoms that replay never shows, the same every time.

    A tumour that is missed weighs as much as a scan, so it takes many of them: with eight, a candidate that
    had lost .10 Dice on forty-four seemed to have won .02.
    """
    maps = load_prepared(MAPS)[-FOR_GUARD:]
    bare = [(volume, look) for look in _GUARD_LOOKS for volume in maps]
    images = [shown(volume, look, _GUARD_SEED + n) for n, (volume, look) in enumerate(bare)]
    found = []
    for number in range(_PAINTINGS * len(bare)):
        (volume, look), image = bare[number % len(bare)], images[number % len(bare)]
        case = painted_on(image, volume, look, _GUARD_SEED + number, TRAINING_FORMS)
        mask = (case.tumours > 0).astype(np.uint8)
        slices = evenly(np.flatnonzero(mask.any((1, 2))), _SLICES_A_SCAN)
        if slices:
            spacing = case.scan.grid.to_orientation().grid.spacing
            name = f"painted {number} {look}"
            scan = on_grid(name, case.scan.sagittal(), mask, spacing, spec, slices)
            found.append(GuardScan(scan, slices))
    return found
