from __future__ import annotations

import gzip
import itertools
import struct

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spineseg.errors import ScanError
from napari_spineseg.io import read_scan

AFFINE = np.array([[0.1, 0.2, 3.9, -11], [1.9, 0, 0.3, -21], [0, -2.1, 0.1, 31], [0, 0, 0, 1]])
"""Oblique, left-handed or not, anything but aligned."""


def image(shape=(5, 6, 7), dtype=np.int16, affine=AFFINE, kind=nib.Nifti1Image):
    values = np.random.default_rng(0).integers(1, 100, shape).astype(dtype)
    return kind(values, affine)


def write(picture, path):
    nib.save(picture, path)
    return path


def patch(path, offset, content):
    """Overwrite bytes of an uncompressed file."""
    data = bytearray(path.read_bytes())
    data[offset : offset + len(content)] = content
    path.write_bytes(data)
    return path


def agrees_with_nibabel(path):
    scan, reference = read_scan(path), nib.load(path)
    expected = np.asanyarray(reference.dataobj)
    expected = expected.reshape((*expected.shape, 1)[:3])
    np.testing.assert_allclose(scan.voxels, expected, rtol=1e-6)
    np.testing.assert_allclose(scan.affine, reference.affine, atol=1e-4)
    assert scan.voxels.dtype.isnative
    return scan


@pytest.mark.parametrize("codes", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("signs", list(itertools.product((1, -1), repeat=3)))
def test_all_48_orientations(tmp_path, codes, signs):
    matrix = np.eye(4)
    matrix[:3, :3] = np.diag([3.3, 0.5, 0.6])[:, codes] * signs
    matrix[:3, 3] = 1.5, -20, 33
    scan = agrees_with_nibabel(write(image(affine=matrix), tmp_path / "a.nii"))
    sagittal = scan.grid.to_orientation()
    assert sagittal.grid.orientation == "RIP"
    np.testing.assert_array_equal(sagittal.invert(scan.sagittal()), scan.voxels)


@pytest.mark.parametrize("ending", ["nii", "nii.gz"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_oblique(tmp_path, ending, kind):
    scan = agrees_with_nibabel(write(image(kind=kind), tmp_path / f"a.{ending}"))
    assert (scan.name, scan.warnings) == ("a", ())


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("order", ["<", ">"])
def test_types_and_byte_orders(tmp_path, dtype, kind, order):
    header = kind.header_class(endianness=order)
    header.set_data_dtype(np.dtype(dtype))
    values = np.arange(60).reshape(3, 4, 5).astype(dtype)
    scan = agrees_with_nibabel(write(kind(values, AFFINE, header), tmp_path / "a.nii"))
    assert scan.voxels.dtype.itemsize <= 8 and scan.voxels.dtype.name not in ("int64", "uint64", "uint32")


def test_large_whole_numbers_keep_their_values(tmp_path):
    values = np.full((2, 3, 4), 2**40, np.int64)
    values[0, 0, 0] = 5
    scan = read_scan(write(nib.Nifti1Image(values, AFFINE, dtype=np.int64), tmp_path / "a.nii"))
    np.testing.assert_array_equal(scan.voxels, values)


@given(slope=st.floats(0.01, 100), intercept=st.floats(-1000, 1000))
@settings(max_examples=15, deadline=None)
def test_slope_and_intercept(tmp_path_factory, slope, intercept):
    picture = image()
    picture.header.set_slope_inter(slope, intercept)
    path = tmp_path_factory.mktemp("s") / "a.nii"
    picture.to_filename(path)
    patch(path, 112, struct.pack("<ff", slope, intercept))
    scan = read_scan(path)
    reference = np.asanyarray(nib.load(path).dataobj)
    np.testing.assert_allclose(scan.voxels, reference, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("shape", [(6, 7), (1, 6, 7), (6, 7, 1), (6, 7, 5, 1), (6, 7, 5, 1, 1)])
def test_one_slice_and_one_volume(tmp_path, shape):
    scan = read_scan(write(image(shape), tmp_path / "a.nii.gz"))
    assert scan.voxels.shape == (*shape, 1, 1)[:3]


def test_several_volumes_are_refused_and_can_be_picked(tmp_path):
    path = write(image((4, 5, 6, 3)), tmp_path / "a.nii.gz")
    with pytest.raises(ScanError, match=r"a.nii.gz: holds 3 volumes; pick one with --volume"):
        read_scan(path)
    for number in range(3):
        np.testing.assert_array_equal(
            read_scan(path, volume=number).voxels, np.asarray(nib.load(path).dataobj)[..., number]
        )
    with pytest.raises(ScanError, match="no volume 3"):
        read_scan(path, volume=3)


def test_sform_goes_before_qform(tmp_path):
    picture = image(affine=np.diag([2.0, 2, 2, 1]))
    picture.set_sform(AFFINE, code=2)
    picture.set_qform(np.diag([2.0, 2, 2, 1]), code=1)
    np.testing.assert_allclose(
        agrees_with_nibabel(write(picture, tmp_path / "a.nii")).affine, AFFINE, atol=1e-5
    )


def test_qform_alone(tmp_path):
    rotated = np.array([[0, 0, 3.0, 1], [0.5, 0, 0, 2], [0, -0.6, 0, 3], [0, 0, 0, 1]])
    picture = image(affine=rotated)
    picture.set_qform(rotated, code=1)
    picture.set_sform(None, code=0)
    np.testing.assert_allclose(
        agrees_with_nibabel(write(picture, tmp_path / "a.nii")).affine, rotated, atol=1e-5
    )


def without_orientation(path, **picture):
    one = image(affine=np.diag([3.0, 0.5, 0.6, 1]), **picture)
    one.set_sform(None, code=0)
    one.set_qform(None, code=0)
    return write(one, path)


def test_neither_warns_about_spacing(tmp_path):
    scan = agrees_with_nibabel(without_orientation(tmp_path / "a.nii"))
    assert "spacing 3 x 0.5 x 0.6 mm" in scan.warnings[0]


def test_zero_pixdim_without_sform_is_refused(tmp_path):
    path = patch(without_orientation(tmp_path / "a.nii"), 80, struct.pack("<f", 0))
    with pytest.raises(ScanError, match="spacing of 0"):
        read_scan(path)


def test_zero_pixdim_of_a_single_slice_warns(tmp_path):
    path = patch(without_orientation(tmp_path / "a.nii", shape=(6, 7, 1)), 88, struct.pack("<f", 0))
    scan = read_scan(path)
    assert "spacing" in scan.warnings[0] and scan.spacing[2] == 1


def test_zero_pixdim_with_sform_is_nobodys_business(tmp_path):
    path = patch(write(image(), tmp_path / "a.nii"), 80, struct.pack("<fff", 0, 0, 0))
    np.testing.assert_allclose(read_scan(path).affine, AFFINE, atol=1e-5)


@pytest.mark.parametrize(
    ("offset", "content", "words"),
    [
        (280, struct.pack("<ffff", 0, 0, 0, 0), "singular|impossible"),
        (280, struct.pack("<ffff", float("nan"), 0, 0, 0), "not a number"),
        (280, struct.pack("<ffff", 1, 1, float("inf"), 0), "not a number"),
        (40, struct.pack("<hhhh", 3, 0, 6, 7), "no voxels"),
        (40, struct.pack("<h", 0), "no voxels"),
        (40, struct.pack("<h", 99), "a.nii"),
        (40, struct.pack("<hhhh", 3, -5, 6, 7), "no voxels"),
        (40, struct.pack("<hhhh", 3, 30000, 30000, 30000), "more than SpineSeg can hold"),
        (40, struct.pack("<hhhh", 3, 300, 300, 300), "cut short"),
        (70, struct.pack("<h", 32), "complex"),
        (70, struct.pack("<h", 128), "RGB"),
        (70, struct.pack("<h", 2304), "RGBA"),
        (70, struct.pack("<h", 7777), "a.nii"),
        (108, struct.pack("<f", float("nan")), "byte nan"),
        (108, struct.pack("<f", 1e30), "byte 1e"),
        (108, struct.pack("<f", -400), "a.nii: has a damaged NIfTI header"),
        (344, b"ni1\0", "half of a .hdr/.img pair"),
        (344, b"xyz\0", "magic"),
        (116, struct.pack("<f", float("nan")), "intensity scale"),
    ],
)
def test_damaged_headers_are_refused(tmp_path, offset, content, words):
    path = patch(write(image(), tmp_path / "a.nii"), offset, content)
    with pytest.raises(ScanError, match=words):
        read_scan(path)


def test_a_spacing_in_metres_is_called_impossible_not_singular(tmp_path):
    path = tmp_path / "a.nii"
    nib.save(nib.Nifti1Image(np.ones((4, 5, 6), np.int16), np.diag([0.0033, 0.0005, 0.0005, 1])), path)
    with pytest.raises(ScanError, match=r"impossible voxel spacing \(0\.0033 x .*in millimetres"):
        read_scan(path)


def test_the_voxels_of_a_pair_are_half_of_it_too(tmp_path):
    nib.save(image(kind=nib.Nifti1Pair), tmp_path / "a.img")
    with pytest.raises(ScanError, match=r"a\.img: is half of a \.hdr/\.img pair"):
        read_scan(tmp_path / "a.img")


@pytest.mark.parametrize("shape", [(4, 5, 6, 1, 3), (4, 5, 6, 2, 3)])
def test_vectors_are_refused(tmp_path, shape):
    with pytest.raises(ScanError, match="vectors"):
        read_scan(write(image(shape), tmp_path / "a.nii"))


def test_nan_counts_as_background(tmp_path):
    values = np.random.default_rng(0).normal(100, 10, (5, 6, 7)).astype(np.float32)
    values[0], values[1, 0, 0] = np.nan, np.inf
    scan = read_scan(write(nib.Nifti1Image(values, AFFINE), tmp_path / "a.nii"))
    assert np.isfinite(scan.voxels).all() and "are not numbers" in scan.warnings[0]
    np.testing.assert_array_equal(scan.voxels[0], values[np.isfinite(values)].min())
    np.testing.assert_array_equal(scan.voxels[2:], values[2:])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nothing_finite_is_refused(tmp_path, value):
    picture = nib.Nifti1Image(np.full((3, 4, 5), value, np.float32), AFFINE)
    with pytest.raises(ScanError, match="no finite voxel"):
        read_scan(write(picture, tmp_path / "a.nii"))


def test_constant_image_warns(tmp_path):
    scan = read_scan(write(nib.Nifti1Image(np.full((3, 4, 5), 7, np.int16), AFFINE), tmp_path / "a.nii"))
    assert "constant" in scan.warnings[0]


def test_ending_does_not_matter_but_a_false_gz_is_refused(tmp_path):
    picture = image()
    plain = picture.to_bytes()
    for name, content in (("x", plain), ("x.img.old", plain), ("y.nii", gzip.compress(plain))):
        (tmp_path / name).write_bytes(content)
        np.testing.assert_array_equal(read_scan(tmp_path / name).voxels, np.asarray(picture.dataobj))
    (tmp_path / "z.nii.gz").write_bytes(plain)
    with pytest.raises(ScanError, match="is not compressed"):
        read_scan(tmp_path / "z.nii.gz")


@given(content=st.binary(min_size=1, max_size=60), where=st.integers(0, 347))
@settings(max_examples=80, deadline=None)
def test_any_damage_is_a_sentence_or_a_scan(tmp_path_factory, content, where):
    path = tmp_path_factory.getbasetemp() / "fuzz.nii"
    path.write_bytes(image().to_bytes())
    patch(path, where, content[: 348 - where])
    try:
        scan = read_scan(path)
    except ScanError as error:
        assert "\n" not in str(error) and str(error).startswith("fuzz.nii: ")
    else:
        assert np.isfinite(scan.voxels).all()
