from __future__ import annotations

import itertools
import zlib

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spineseg.errors import ScanError
from napari_spineseg.io import read_scan, write_scan

LPS = np.diag([-1.0, -1, 1, 1])
ROTATION = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])
"""Columns are orthonormal; nothing is aligned with anything."""


def itk_image(dtype=np.int16, direction=ROTATION, shape=(5, 6, 7)):
    picture = sitk.GetImageFromArray(np.random.default_rng(0).integers(0, 99, shape).astype(dtype))
    picture.SetSpacing((3.3, 0.5, 0.6)[: picture.GetDimension()])
    picture.SetOrigin((1.5, -20, 33)[: picture.GetDimension()])
    if picture.GetDimension() == 3:
        picture.SetDirection(np.asarray(direction, float).ravel())
    return picture


def affine_of(picture):
    """RAS affine from what ITK says."""
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(picture.GetDirection(), (3, 3)) * picture.GetSpacing()
    affine[:3, 3] = picture.GetOrigin()
    return LPS @ affine


def agrees_with_itk(path, reference=None):
    scan, reference = read_scan(path), reference or sitk.ReadImage(str(path))
    np.testing.assert_array_equal(scan.voxels, sitk.GetArrayFromImage(reference).T)
    np.testing.assert_allclose(scan.affine, affine_of(reference), atol=1e-5)
    return scan


@pytest.mark.parametrize("name", ["a.mha", "a.mhd"])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8", "i8"])
def test_agrees_with_itk(tmp_path, name, compressed, dtype):
    sitk.WriteImage(itk_image(dtype), str(tmp_path / name), compressed)
    assert agrees_with_itk(tmp_path / name).warnings == ()


@pytest.mark.parametrize("signs", list(itertools.product((1, -1), repeat=3)))
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_all_48_orientations(tmp_path, signs, order):
    sitk.WriteImage(itk_image(direction=np.diag(signs)[:, order]), str(tmp_path / "a.mha"))
    agrees_with_itk(tmp_path / "a.mha")


def header(**changes) -> bytes:
    """A header for 2 x 3 x 4 shorts; `None` leaves a line out."""
    lines = {
        "ObjectType": "Image", "NDims": "3", "BinaryData": "True", "BinaryDataByteOrderMSB": "False",
        "CompressedData": "False", "TransformMatrix": "1 0 0 0 1 0 0 0 1", "Offset": "0 0 0",
        "ElementSpacing": "1 2 3", "DimSize": "2 3 4", "ElementType": "MET_SHORT",
    } | {"ElementDataFile": "LOCAL"} | changes  # fmt: skip
    lines["ElementDataFile"] = lines.pop("ElementDataFile")
    return "".join(f"{k} = {v}\n" for k, v in lines.items() if v is not None).encode()


DATA = np.arange(24, dtype="<i2").tobytes()


def put(tmp_path, content, name="a.mha"):
    (tmp_path / name).write_bytes(content)
    return tmp_path / name


@pytest.mark.parametrize(
    "changes",
    [
        {"BinaryDataByteOrderMSB": None, "ElementByteOrderMSB": "True"},
        {"TransformMatrix": None, "Rotation": "0 1 0 1 0 0 0 0 1"},
        {"TransformMatrix": None, "Orientation": "0 1 0 1 0 0 0 0 -1"},
        {"Offset": None, "Position": "1 2 3"},
        {"Offset": None, "Origin": "1 2 3"},
        {"ElementSpacing": None, "ElementSize": "4 5 6"},
        {"ElementSize": "4 5 6"},
        {"HeaderSize": "-1"},
        {"NDims": "4", "DimSize": "2 3 4 1", "ElementSpacing": "1 2 3 1", "Offset": "0 0 0 0",
         "TransformMatrix": "0 1 0 0 1 0 0 0 0 0 1 0 0 0 0 1"},
    ],
)  # fmt: skip
def test_every_spelling_agrees_with_itk(tmp_path, changes):
    path = put(tmp_path, header(**changes) + DATA)
    reference = sitk.ReadImage(str(path))
    if reference.GetDimension() == 4:
        reference = reference[:, :, :, 0]
    agrees_with_itk(path, reference)


def test_written_out_numbers(tmp_path):
    text = " ".join(map(str, range(24))).encode()
    scan = read_scan(put(tmp_path, header(BinaryData="False") + text))
    np.testing.assert_array_equal(scan.voxels.ravel(order="F"), np.arange(24))
    with pytest.raises(ScanError, match="not numbers"):
        read_scan(put(tmp_path, header(BinaryData="False") + text.replace(b" 9 ", b" nine ")))


def test_carriage_returns(tmp_path):
    path = put(tmp_path, header().replace(b"\n", b"\r\n") + DATA)
    np.testing.assert_array_equal(read_scan(path).voxels.ravel(order="F"), np.arange(24))


def test_one_slice(tmp_path):
    scan = read_scan(put(tmp_path, header(DimSize="2 12 1") + DATA))
    assert scan.voxels.shape == (2, 12, 1)
    flat = header(NDims="2", DimSize="4 6", ElementSpacing="1 2", Offset="0 0", TransformMatrix="1 0 0 1")
    assert read_scan(put(tmp_path, flat + DATA)).voxels.shape == (4, 6, 1)


def test_silence_about_geometry_warns(tmp_path):
    scan = read_scan(put(tmp_path, header(ElementSpacing=None, TransformMatrix=None) + DATA))
    assert "spacing" in scan.warnings[0] and "orientation" in scan.warnings[1]


def test_several_volumes(tmp_path):
    four = header(
        NDims="4", DimSize="2 3 2 2", ElementSpacing="1 2 3 1", Offset="0 0 0 0",
        TransformMatrix="1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1",
    )  # fmt: skip
    path = put(tmp_path, four + DATA)
    with pytest.raises(ScanError, match=r"holds 2 volumes; pick one with --volume"):
        read_scan(path)
    np.testing.assert_array_equal(read_scan(path, volume=1).voxels.ravel(order="F"), np.arange(12, 24))
    packed = four.replace(b"CompressedData = False", b"CompressedData = True") + zlib.compress(DATA)
    np.testing.assert_array_equal(
        read_scan(put(tmp_path, packed), volume=1).voxels.ravel(order="F"), np.arange(12, 24)
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"DimSize": "0 3 4"}, "no voxels"),
        ({"DimSize": "-2 3 4"}, "no voxels"),
        ({"DimSize": None}, "no voxels"),
        ({"DimSize": "2 3"}, "axes"),
        ({"DimSize": "nan 3 4"}, "no voxels|damaged"),
        ({"DimSize": "inf 3 4"}, "no voxels|damaged"),
        ({"DimSize": "x y z"}, "damaged"),
        ({"DimSize": "99999 99999 99999"}, "more than SpineSeg can hold"),
        ({"DimSize": "20 30 40"}, "cut short"),
        ({"ElementNumberOfChannels": "3"}, "vectors or colours"),
        ({"ElementType": "MET_FLOAT_ARRAY"}, "MET_FLOAT_ARRAY"),
        ({"ElementType": None}, "missing"),
        ({"ElementSpacing": "0 1 1"}, "spacing"),
        ({"ElementSpacing": "-1 1 1"}, "spacing"),
        ({"ElementSpacing": "nan 1 1"}, "spacing|not a number"),
        ({"Offset": "inf 0 0"}, "not a number"),
        ({"TransformMatrix": "1 0 0 1 0 0 0 0 1"}, "singular"),
        ({"TransformMatrix": "0 0 0 0 0 0 0 0 0"}, "spacing|singular"),
        ({"TransformMatrix": "1 0 0"}, "wrong length"),
        ({"ElementDataFile": None}, "ElementDataFile|header"),
        ({"ObjectType": "Mesh"}, "not an image"),
        ({"CompressedData": "True"}, "damaged compressed"),
    ],
)
def test_refusals(tmp_path, changes, words):
    with pytest.raises(ScanError, match=words):
        read_scan(put(tmp_path, header(**changes) + DATA))


@pytest.mark.parametrize(
    "spoil", [lambda c: c[:-5], lambda c: c[: len(c) // 2] + b"xx" + c[len(c) // 2 + 2 :]]
)
def test_damaged_compression(tmp_path, spoil):
    with pytest.raises(ScanError, match=r"damaged compressed|end too early"):
        read_scan(put(tmp_path, header(CompressedData="True") + spoil(zlib.compress(DATA * 1))))


def test_bomb(tmp_path):
    with pytest.raises(ScanError, match="far more data"):
        read_scan(put(tmp_path, header(CompressedData="True") + zlib.compress(bytes(66 << 20), 1)))


@pytest.mark.parametrize(
    "name",
    ["../out.raw", "/etc/passwd", "sub/../../out.raw", "..\\out.raw", "C:\\out.raw", "~/out.raw",
     "out%03d.raw", "LIST", "LIST 2D", "out*.raw", ""],
)  # fmt: skip
def test_data_files_elsewhere_are_refused(tmp_path, name):
    (tmp_path / "out.raw").write_bytes(DATA)
    folder = tmp_path / "in"
    folder.mkdir()
    with pytest.raises(ScanError, match=r"a.mhd: .*(outside its own folder|several files)"):
        read_scan(put(folder, header(ElementDataFile=name) + DATA, "a.mhd"))


def test_data_file_by_a_link_that_leaves_the_folder(tmp_path):
    (tmp_path / "out.raw").write_bytes(DATA)
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "here.raw").symlink_to(tmp_path / "out.raw")
    with pytest.raises(ScanError, match="outside its own folder"):
        read_scan(put(folder, header(ElementDataFile="here.raw"), "a.mhd"))


def test_data_file_missing_or_the_header_itself(tmp_path):
    with pytest.raises(ScanError, match=r"a.mhd: needs its data file a.raw beside it"):
        read_scan(put(tmp_path, header(ElementDataFile="a.raw"), "a.mhd"))
    with pytest.raises(ScanError, match="names itself"):
        read_scan(put(tmp_path, header(ElementDataFile="a.mhd"), "a.mhd"))


def test_data_file_in_a_subfolder(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.raw").write_bytes(DATA)
    path = put(tmp_path, header(ElementDataFile="sub/a.raw"), "a.mhd")
    np.testing.assert_array_equal(read_scan(path).voxels.ravel(order="F"), np.arange(24))


@pytest.mark.parametrize("name", ["müller.mhd", "größe 脊椎.mhd"])
def test_data_file_with_letters_beyond_ascii(tmp_path, name):
    path = tmp_path / name
    sitk.WriteImage(itk_image(), str(path))
    assert f"= {path.with_suffix('.raw').name}" in path.read_text("utf-8")
    agrees_with_itk(path)
    write_scan(read_scan(path), tmp_path / f"our {name}")
    agrees_with_itk(tmp_path / f"our {name}")
    (tmp_path / f"our {path.stem}.zraw").unlink()
    with pytest.raises(ScanError, match=f"needs its data file our {path.stem}.zraw beside it"):
        read_scan(tmp_path / f"our {name}")


@given(where=st.integers(0, 250), content=st.binary(min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_any_damage_is_a_sentence_or_a_scan(tmp_path_factory, where, content):
    good = bytearray(header() + DATA)
    good[where : where + len(content)] = content
    path = tmp_path_factory.getbasetemp() / "fuzz.mha"
    path.write_bytes(good)
    try:
        read_scan(path)
    except ScanError as error:
        assert "\n" not in str(error) and str(error).startswith("fuzz.mha: ")
