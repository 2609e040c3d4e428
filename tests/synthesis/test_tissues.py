import numpy as np
import pytest

from napari_spineseg.synthesis.tissues import Tissue, paint_tissues

SPACING = (4.0, 1.5, 1.5)


@pytest.fixture(scope="module")
def levels():
    """A crude column: three bodies with discs between and below, a canal behind, a spinous process."""
    volume = np.zeros((9, 100, 120), np.uint16)
    for label, top in ((1, 58), (2, 36), (3, 14)):
        volume[2:7, top : top + 16, 40:60] = label
        volume[4, top + 6 : top + 12, 71:80] = label
        volume[2:7, top + 17 : top + 21, 40:60] = 200 + label
    volume[3:6, 8:92, 61:70] = 100
    return volume


@pytest.fixture(scope="module")
def tissues(levels):
    return paint_tissues(levels, SPACING, seed=4)


def test_labels_are_painted_as_what_they_are(levels, tissues):
    bone = {Tissue.MARROW, Tissue.ARCH_MARROW, Tissue.CORTEX, Tissue.LESION}
    assert set(np.unique(tissues[(levels > 0) & (levels < 99)])) <= bone
    assert set(np.unique(tissues[levels > 200])) <= {Tissue.NUCLEUS, Tissue.ANNULUS}
    assert set(np.unique(tissues[levels == 100])) <= {Tissue.CSF, Tissue.CORD, Tissue.LIGAMENT}


def test_there_is_air_behind_and_a_sacrum_below(tissues):
    assert (tissues[:, :, -1] == Tissue.AIR).mean() > 0.5
    rows = np.argwhere(tissues == Tissue.SACRUM)[:, 1]
    assert len(rows) > 50 and rows.min() > 70


def test_muscle_lies_behind_the_canal_and_belly_in_front(tissues):
    assert (tissues[:, 40, 72:80] == Tissue.MUSCLE).any()
    assert (tissues[:, :, :30] == Tissue.VISCERAL_FAT).any()


def test_the_seed_decides(levels, tissues):
    assert (paint_tissues(levels, SPACING, seed=4) == tissues).all()
    assert (paint_tissues(levels, SPACING, seed=5) != tissues).any()
