from __future__ import annotations

import itertools
import os

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spineseg.anatomy import Numbering
from napari_spineseg.errors import OutputError
from napari_spineseg.io import read_scan, read_segmentation, write_scan, write_segmentation
from napari_spineseg.io.write import ENDINGS, put
from napari_spineseg.scan import Scan, Segmentation

OBLIQUE = np.array([[0.1, 0.2, 3.9, -11], [1.9, 0, 0.3, -21], [0, -2.1, 0.1, 31], [0, 0, 0, 1]])


def labels(affine=OBLIQUE, shape=(5, 6, 7), **changes):
    values = np.random.default_rng(0).choice([0, 1, 2, 100, 201], shape).astype(np.uint16)
    return Segmentation(values, affine, **changes)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("affine", [OBLIQUE, np.diag([-1.0, 2, 3, 1])], ids=["oblique", "left-handed"])
def test_labels_come_back(tmp_path, ending, affine):
    path = tmp_path / f"a_seg{ending}"
    before = labels(affine, numbering=Numbering(lumbar=6, thoracic=11))
    write_segmentation(before, path)
    after = read_segmentation(path)
    np.testing.assert_array_equal(after.labels, before.labels)
    np.testing.assert_allclose(after.affine, affine, atol=1e-4)
    assert (after.labels.dtype, after.scheme, after.warnings) == (np.uint16, "levels", ())
    assert after.numbering == before.numbering
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".part"] == []


@pytest.mark.parametrize("ending", [".nii.gz", ".mha", ".nrrd", ".tif"])
def test_all_48_orientations(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    for order, signs in itertools.product(
        itertools.permutations(range(3)), itertools.product((1, -1), repeat=3)
    ):
        affine = np.eye(4)
        affine[:3, :3] = np.diag([3.3, 0.5, 0.6])[:, order] * signs
        before = labels(affine, (3, 4, 5))
        write_segmentation(before, path)
        after = read_segmentation(path)
        np.testing.assert_array_equal(after.labels, before.labels)
        np.testing.assert_allclose(after.affine, affine, atol=1e-4)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "f4", "f8"])
def test_images_come_back(tmp_path, ending, dtype):
    voxels = np.random.default_rng(0).integers(0, 99, (5, 6, 7)).astype(dtype)
    write_scan(Scan(voxels, OBLIQUE, sequence="STIR"), tmp_path / f"a{ending}")
    after = read_scan(tmp_path / f"a{ending}")
    np.testing.assert_array_equal(after.voxels, voxels)
    np.testing.assert_allclose(after.affine, OBLIQUE, atol=1e-4)
    assert (after.voxels.dtype, after.sequence, after.warnings) == (voxels.dtype, "STIR", ())


def test_structures_stay_structures(tmp_path):
    before = labels(scheme="structures")
    before.labels[:] = 1
    for ending in ENDINGS:
        write_segmentation(before, tmp_path / f"a{ending}")
        assert read_segmentation(tmp_path / f"a{ending}").scheme == "structures"


@given(angles=st.tuples(*[st.floats(-3, 3)] * 3), spacing=st.tuples(*[st.floats(0.2, 6)] * 3))
@settings(max_examples=25, deadline=None)
def test_nibabel_and_itk_see_the_same_place(tmp_path_factory, angles, spacing):
    a, b, c = angles
    turn_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    turn_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    turn_x = np.array([[1, 0, 0], [0, np.cos(c), -np.sin(c)], [0, np.sin(c), np.cos(c)]])
    affine = np.eye(4)
    affine[:3, :3] = turn_z @ turn_y @ turn_x * spacing
    affine[:3, 3] = 5, -6, 7
    folder, before = tmp_path_factory.mktemp("w"), labels(affine, (3, 4, 5))
    for ending in (".nii.gz", ".mha", ".mhd", ".nrrd"):
        write_segmentation(before, folder / f"a{ending}")
        picture = sitk.ReadImage(str(folder / f"a{ending}"))
        np.testing.assert_array_equal(sitk.GetArrayFromImage(picture).T, before.labels)
        for index in ((0, 0, 0), (2, 3, 4)):
            place = np.array(picture.TransformIndexToPhysicalPoint(index)) * (-1, -1, 1)
            np.testing.assert_allclose(place, (affine @ (*index, 1))[:3], atol=1e-3)
    header = nib.load(folder / "a.nii.gz").header
    assert header["sform_code"] > 0 and header["qform_code"] > 0 and header.get_data_dtype() == np.uint16
    np.testing.assert_allclose(header.get_sform(), affine, atol=1e-4)
    np.testing.assert_allclose(header.get_qform(), affine, atol=1e-3)


def test_tiff_is_sagittal_and_imagej_knows_its_spacing(tmp_path):
    affine = np.diag([0.5, 0.6, 3.3, 1])[:, [2, 0, 1, 3]]
    before = labels(affine, (5, 6, 7))
    write_segmentation(before, tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        turn = before.grid.to_orientation()
        np.testing.assert_array_equal(tiff.asarray(), turn.apply(before.labels))
        spacing = (
            tiff.imagej_metadata["spacing"],
            *(1 / np.divide(*tiff.pages[0].tags[t].value) for t in (283, 282)),
        )
        np.testing.assert_allclose(spacing, turn.grid.spacing, rtol=1e-4)
        assert tiff.imagej_metadata["unit"] == "mm"


def test_the_same_labels_make_the_same_bytes(tmp_path):
    for name in ("a.nii.gz", "b.nii.gz"):
        write_segmentation(labels(), tmp_path / name)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(OutputError, match="end the name in"):
        write_segmentation(labels(), tmp_path / "a.png")
    with pytest.raises(OutputError, match="No such file"):
        write_segmentation(labels(), tmp_path / "nowhere" / "a.nii.gz")
    (tmp_path / "folder.mha").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        write_segmentation(labels(), tmp_path / "folder.mha")
    negative = Segmentation(np.full((2, 3, 4), -1), np.eye(4))
    with pytest.raises(OutputError, match="0 to 65535"):
        write_segmentation(negative, tmp_path / "a.nii.gz")
    assert [p.name for p in tmp_path.iterdir()] == ["folder.mha"]


def test_the_old_file_survives_a_failure(tmp_path):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(b"precious")

    def fail(_):
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="No space left"):
        put(path, fail)
    assert path.read_bytes() == b"precious" and len(list(tmp_path.iterdir())) == 1


def test_a_link_is_replaced_not_followed(tmp_path):
    (tmp_path / "target").write_bytes(b"precious")
    (tmp_path / "a.nii.gz").symlink_to(tmp_path / "target")
    write_segmentation(labels(), tmp_path / "a.nii.gz")
    assert (tmp_path / "target").read_bytes() == b"precious" and not (tmp_path / "a.nii.gz").is_symlink()


def test_permissions_are_those_of_any_new_file(tmp_path):
    before = os.umask(0o027)
    try:
        write_segmentation(labels(), tmp_path / "a.nii.gz")
    finally:
        os.umask(before)
    assert (tmp_path / "a.nii.gz").stat().st_mode & 0o777 == 0o640
