"""A phantom as it is trained on: its image, and its tissues."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spineseg.anatomy import levels_to_structures
from napari_spineseg.datasets.prepared import PreparedVolume
from napari_spineseg.synthesis.phantom import PhantomSettings, make_phantom
from napari_spineseg.synthesis.tissues import paint_tissues

SPACING = (4.0, 1.0, 1.0)


@pytest.fixture(scope="session")
def volumes() -> list[PreparedVolume]:
    settings = PhantomSettings(seed=5, spacing_mm=SPACING, field_of_view_mm=(28, 150, 120))
    scan, truth = make_phantom(settings)
    image = scan.sagittal().astype(np.float32)
    levels = truth.grid.to_orientation().apply(truth.labels)
    structures = levels_to_structures(levels)
    grey = (image / np.percentile(image, 99.5) * 255).clip(0, 255).astype(np.uint8)
    tissues = paint_tissues(levels, SPACING, 1)
    return [
        PreparedVolume("a", "a", "image", grey, structures, SPACING[0], SPACING[1]),
        PreparedVolume("b", "b", "tissues", tissues, structures, SPACING[0], SPACING[1]),
    ]
