import numpy as np
import pytest
from scipy import ndimage

from napari_spineseg.tumours import place

SPACING = (4.0, 0.55, 0.5)


@pytest.mark.parametrize("seed", range(8))
def test_the_nearest_label_is_that_of_the_whole_volume(seed):
    """Only a window is looked at, which must not change the answer."""
    rng = np.random.default_rng(seed)
    levels = np.zeros((12, 60, 60), np.uint16)
    for label in range(1, 6):
        levels[_box(rng, levels.shape, (2, 8, 7))] = label
    finding = np.zeros(levels.shape, bool)
    finding[_box(rng, levels.shape, (1, 9, 9))] = True
    away, at = ndimage.distance_transform_edt(levels == 0, sampling=SPACING, return_indices=True)
    expected = levels[tuple(axis[finding] for axis in at)]
    found = place._nearest(levels, finding, float(away[finding].max()), SPACING)
    assert np.array_equal(found, expected)


def _box(rng: np.random.Generator, shape: tuple[int, ...], reach: tuple[int, ...]) -> tuple[slice, ...]:
    middles = rng.integers(0, shape)
    return tuple(slice(max(0, m - r), m + r + 1) for m, r in zip(middles, reach, strict=True))
