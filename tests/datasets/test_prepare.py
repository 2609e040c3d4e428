import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from napari_spineseg.datasets.prepare import prepare_masks, prepare_release, prepare_scans
from napari_spineseg.datasets.prepared import load_prepared
from napari_spineseg.errors import DatasetError
from napari_spineseg.synthesis.tissues import Tissue

# Sagittal slices 4 mm apart, rows downward, columns to the back.
AFFINE = np.array([[4.0, 0, 0, 0], [0, 0, -1.0, 0], [0, -1.0, 0, 0], [0, 0, 0, 1]])


@pytest.fixture
def levels():
    volume = np.zeros((5, 60, 50), np.uint16)
    volume[1:4, 32:44, 15:32] = 1
    volume[1:4, 14:26, 15:32] = 2
    volume[1:4, 46:49, 15:32] = 201
    volume[1:4, 28:31, 15:32] = 202
    volume[1:4, 8:55, 34:41] = 100
    return volume


def test_a_scan_and_its_levels_end_up_on_one_grid(levels, tmp_path):
    scans = tmp_path / "scans"
    scans.mkdir()
    image = (levels * 3 % 256).astype(np.int16)
    nib.save(nib.Nifti1Image(image, AFFINE), scans / "007_image.nii.gz")
    nib.save(nib.Nifti1Image(levels.astype(np.uint8), AFFINE), scans / "007_levels.nii.gz")
    (path,) = prepare_scans(scans, tmp_path)
    (volume,) = load_prepared(tmp_path)
    assert path.name == "007.npz" and volume.patient == "7" and volume.kind == "image"
    assert volume.values.shape == volume.structures.shape == (5, 120, 100)
    assert volume.slice_mm == pytest.approx(4) and volume.spacing_mm == 0.5
    assert volume.structures[2, 76, 50] == 1 and volume.structures[2, 60, 50] == 2
    assert volume.structures[2, 60, 76] == 3 and volume.structures[0].max() == 0


def test_splits_stay_apart(levels, tmp_path):
    """What `import-spider` wrote, and the PNG release beside it, go where `pretrain` looks for them."""
    for split, name in (("training", "1_t2"), ("val", "2_t2")):
        (tmp_path / "data" / split).mkdir(parents=True)
        for kind in ("image", "levels"):
            image = nib.Nifti1Image(levels.astype(np.uint8), AFFINE)
            nib.save(image, tmp_path / "data" / split / f"{name}_{kind}.nii.gz")
    released(tmp_path / "data" / "test")
    prepare_scans(tmp_path / "data", tmp_path / "out")
    found = {split: load_prepared(tmp_path / "out" / split) for split in ("train", "val", "test")}
    assert {s: [v.patient for v in volumes] for s, volumes in found.items()} == {
        "train": ["1"],
        "val": ["2"],
        "test": ["12", "12"],
    }


def test_a_folder_without_scans_is_not_prepared_in_silence(levels, tmp_path):
    with pytest.raises(DatasetError, match=r"5_image\.nii\.gz"):
        prepare_scans(tmp_path, tmp_path / "out")
    nib.save(nib.Nifti1Image(levels.astype(np.uint8), AFFINE), tmp_path / "7_image.nii.gz")
    with pytest.raises(DatasetError, match="7_levels"):
        prepare_scans(tmp_path, tmp_path / "out")


def test_a_mask_becomes_tissues_with_its_structures(levels, tmp_path):
    nib.save(nib.Nifti1Image(levels.astype(np.uint8), AFFINE), tmp_path / "042_t2_mask.nii.gz")
    prepare_masks([tmp_path / "042_t2_mask.nii.gz"], tmp_path, seed=3)
    (volume,) = load_prepared(tmp_path)
    assert (volume.name, volume.patient, volume.kind) == ("042_t2_tissues_3", "42", "tissues")
    bone = volume.values[volume.structures == 1]
    assert set(np.unique(bone)) <= {Tissue.MARROW, Tissue.ARCH_MARROW, Tissue.CORTEX, Tissue.LESION}


def released(place):
    """A PNG release of one patient: slices 3, 4 and 8."""
    for folder in ("images", "masks"):
        (place / folder).mkdir(parents=True)
        for index in (3, 4, 8):
            grey = np.full((64, 80), 76 if folder == "masks" else index * 9, np.uint8)
            grey[0] = 0
            Image.fromarray(grey).save(place / folder / f"012_t2_SPACE_slice{index}.png")


def test_released_slices_become_one_volume_a_run(tmp_path):
    released(tmp_path)
    prepare_release(tmp_path, tmp_path)
    volumes = load_prepared(tmp_path)
    assert [(v.patient, len(v.values)) for v in volumes] == [("12", 2), ("12", 1)]
    assert volumes[0].values.shape[1:] == (60, 75) and volumes[0].structures[0, 30, 30] == 1
