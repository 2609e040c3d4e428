"""What keeps a tumour model from forgetting: phantoms with painted tumours and look-alikes.

The phantoms that other models replay show no tumour: on them a model that forgot all tumours would look
as good as before. So for models that look for tumours alone, replay and guard are painted.
"""

from __future__ import annotations

import numpy as np

from napari_spineseg.anatomy import Structure
from napari_spineseg.core.inputs import InputSpec
from napari_spineseg.datasets.crops import Batch, CropSettings
from napari_spineseg.datasets.prepared import (
    PreparedVolume,
    load_prepared,
    resized,
    resized_labels,
    windowed,
)
from napari_spineseg.learning.reading import evenly
from napari_spineseg.learning.stages.replay import FOR_GUARD, MAPS
from napari_spineseg.learning.tumour.cases import painted
from napari_spineseg.learning.tumour.patch import PatchSettings
from napari_spineseg.learning.tumour.patches import PatchSampler
from napari_spineseg.learning.verdict.guard import GuardScan
from napari_spineseg.synthesis.lesions import TRAINING_FORMS

_SIDE_MM = 128.0
_GUARD_LOOKS = ("T2", "STIR", "T1", "Gd T1")
_GUARD_SEED, _PAINTINGS = 5000, 2
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
    """Painted scans of phantoms that replay never shows, the same every time."""
    maps = load_prepared(MAPS)[-FOR_GUARD:]
    found = []
    for number in range(_PAINTINGS * len(_GUARD_LOOKS)):
        look = _GUARD_LOOKS[number % len(_GUARD_LOOKS)]
        case = painted(
            maps[(number + number // len(_GUARD_LOOKS)) % len(maps)],
            look,
            _GUARD_SEED + number,
            TRAINING_FORMS,
        )
        voxels, mask = case.scan.sagittal(), (case.tumours > 0).astype(np.uint8)
        slices = evenly(np.flatnonzero(mask.any((1, 2))), _SLICES_A_SCAN)
        if slices:
            spacing = case.scan.grid.to_orientation().grid.spacing
            found.append(GuardScan(_on_grid(f"painted {number} {look}", voxels, mask, spacing, spec), slices))
    return found


def _on_grid(
    name: str, image: np.ndarray, mask: np.ndarray, spacing: tuple[float, ...], spec: InputSpec
) -> PreparedVolume:
    size = spec.working_size(*image.shape[1:], spacing[1:])
    return PreparedVolume(
        name=name,
        patient=name,
        kind="image",
        values=windowed(resized(windowed(image), size)),
        structures=resized_labels(mask, size, (0, 1)),
        slice_mm=spacing[0],
        spacing_mm=spacing[1] * image.shape[1] / size[0],
    )
