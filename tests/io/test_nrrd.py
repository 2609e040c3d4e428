from __future__ import annotations

import bz2
import gzip
import itertools

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spineseg.errors import ScanError
from napari_spineseg.io import read_scan

LPS = np.diag([-1.0, -1, 1, 1])
DATA = np.arange(24, dtype="<i2").tobytes()


def header(**changes) -> bytes:
    """A header for 2 x 3 x 4 shorts; underscores stand for blanks, `None` leaves a line out."""
    lines = {
        "type": "short", "dimension": "3", "space": "left-posterior-superior", "sizes": "2 3 4",
        "space_directions": "(0,0.5,0) (0,0,-0.6) (3.3,0,0)", "kinds": "domain domain domain",
        "endian": "little", "encoding": "raw", "space_origin": "(1,2,3)",
    } | changes  # fmt: skip
    text = "".join(f"{k.replace('_', ' ')}: {v}\n" for k, v in lines.items() if v is not None)
    return f"NRRD0004\n# made by a test\n{text}\n".encode()


def put(tmp_path, content, name="a.nrrd"):
    (tmp_path / name).write_bytes(content)
    return tmp_path / name


def agrees_with_itk(path):
    scan, picture = read_scan(path), sitk.ReadImage(str(path))
    np.testing.assert_array_equal(scan.voxels, sitk.GetArrayFromImage(picture).T)
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(picture.GetDirection(), (3, 3)) * picture.GetSpacing()
    affine[:3, 3] = picture.GetOrigin()
    np.testing.assert_allclose(scan.affine, LPS @ affine, atol=1e-5)
    return scan


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8"])
@pytest.mark.parametrize("compressed", [False, True])
def test_agrees_with_itk(tmp_path, dtype, compressed):
    picture = sitk.GetImageFromArray(np.random.default_rng(0).integers(0, 99, (5, 6, 7)).astype(dtype))
    picture.SetSpacing((3.3, 0.5, 0.6))
    picture.SetOrigin((1, -20, 33))
    picture.SetDirection((0.36, 0.48, -0.8, -0.8, 0.6, 0.0, 0.48, 0.64, 0.6))
    sitk.WriteImage(picture, str(tmp_path / "a.nrrd"), compressed)
    assert agrees_with_itk(tmp_path / "a.nrrd").warnings == ()


@pytest.mark.parametrize("picked", [None, 1])
def test_volumes_that_itk_lays_along_a_fourth_dimension(tmp_path, picked):
    one = sitk.GetImageFromArray(np.arange(60, dtype="i2").reshape(3, 4, 5))
    one.SetSpacing((0.5, 0.6, 3.3))
    one.SetOrigin((1, -20, 33))
    sitk.WriteImage(sitk.JoinSeries([one, one + 100]), str(tmp_path / "four.nrrd"))
    if picked is None:
        with pytest.raises(ScanError, match=r"holds 2 volumes; pick one with --volume \(0 to 1\)"):
            read_scan(tmp_path / "four.nrrd")
        return
    scan = read_scan(tmp_path / "four.nrrd", volume=picked)
    np.testing.assert_array_equal(scan.voxels, sitk.GetArrayFromImage(one).T + 100)
    affine = np.array([[0.5, 0, 0, 1], [0, 0.6, 0, -20], [0, 0, 3.3, 33], [0, 0, 0, 1]])
    np.testing.assert_allclose(scan.affine, LPS @ affine)


@pytest.mark.parametrize("space", ["left-posterior-superior", "right-anterior-superior", "LAS", "RAS", "lps"])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3)))[::2])
def test_spaces_agree_with_itk(tmp_path, space, order):
    vectors = np.array(["(0,0.5,0)", "(0,0,-0.6)", "(3.3,0,0)"])[list(order)]
    agrees_with_itk(put(tmp_path, header(space=space, space_directions=" ".join(vectors)) + DATA))


@pytest.mark.parametrize(
    ("encoding", "content"),
    [("gzip", gzip.compress(DATA)), ("gz", gzip.compress(DATA)), ("bzip2", bz2.compress(DATA)),
     ("hex", DATA.hex().encode()), ("ascii", " ".join(map(str, range(24))).encode())],
    ids=["gzip", "gz", "bzip2", "hex", "ascii"],  # gzip writes the time: no name for a test
)  # fmt: skip
def test_encodings(tmp_path, encoding, content):
    scan = read_scan(put(tmp_path, header(encoding=encoding) + content))
    np.testing.assert_array_equal(scan.voxels.ravel(order="F"), np.arange(24))


def test_big_endian(tmp_path):
    content = np.arange(24, dtype=">i2").tobytes()
    agrees_with_itk(put(tmp_path, header(endian="big") + content))


def test_byte_and_line_skip(tmp_path):
    for skips, content in (({"byte_skip": "5"}, b"12345" + DATA), ({"byte_skip": "-1"}, b"123" + DATA),
                           ({"line_skip": "2"}, b"a\nb\n" + DATA)):  # fmt: skip
        scan = read_scan(put(tmp_path, header(**skips) + content))
        np.testing.assert_array_equal(scan.voxels.ravel(order="F"), np.arange(24))


def test_spacings_alone_warn_about_orientation(tmp_path):
    bare = {"space": None, "space_directions": None, "space_origin": None}
    scan = read_scan(put(tmp_path, header(**bare, spacings="3 0.5 0.6") + DATA))
    assert scan.spacing == (3, 0.5, 0.6) and "orientation" in scan.warnings[0]
    scan = read_scan(put(tmp_path, header(**bare) + DATA))
    assert "spacing" in scan.warnings[0]


def test_spacings_in_a_named_space_go_along_its_axes(tmp_path):
    bare = {"space": "RAS", "space_directions": None, "space_origin": None}
    scan = read_scan(put(tmp_path, header(**bare, spacings="3 0.5 0.6") + DATA))
    np.testing.assert_allclose(scan.affine, np.diag([3, 0.5, 0.6, 1]))
    assert scan.warnings == ("The header gives no orientation; the axes R, A, S are assumed.",)


@pytest.mark.parametrize("space", ["right-anterior-superior-time", "RAST"])
def test_a_space_with_time_is_the_same_space(tmp_path, space):
    alone = read_scan(put(tmp_path, header(space="RAS") + DATA))
    directions = "(0,0.5,0,0) (0,0,-0.6,0) (3.3,0,0,0) (0,0,0,1)"
    changes = {"dimension": "4", "sizes": "2 3 4 1", "kinds": "domain domain domain time"}
    changes |= {"space": space, "space_directions": directions, "space_origin": "(1,2,3,0)"}
    scan = read_scan(put(tmp_path, header(**changes) + DATA))
    np.testing.assert_allclose(scan.affine, alone.affine)
    assert scan.warnings == ()


@pytest.mark.parametrize(
    ("line", "said"),
    [("space: scanner-xyz", "scanner-xyz"), ("space: 3D-left-handed", "3D-left-handed"),
     ("space dimension: 3", "none")],
)  # fmt: skip
def test_a_space_that_is_not_anatomical_is_taken_as_itk_takes_it_and_said(tmp_path, line, said):
    head = header().replace(b"space: left-posterior-superior", line.encode())
    scan = agrees_with_itk(put(tmp_path, head + DATA))
    assert f"space: {said}); L, P, S is assumed" in scan.warnings[0]


@pytest.mark.parametrize("name", ["a.raw", "rücken.raw"])
def test_detached_data(tmp_path, name):
    (tmp_path / name).write_bytes(DATA)
    scan = read_scan(put(tmp_path, header(data_file=name), "a.nhdr"))
    np.testing.assert_array_equal(scan.voxels.ravel(order="F"), np.arange(24))


@pytest.mark.parametrize(
    "name", ["../a.raw", "/etc/passwd", "LIST", "slice%03d.raw 1 20 1", "nowhere.raw", "a.nhdr"]
)
def test_detached_data_elsewhere_is_refused(tmp_path, name):
    (tmp_path / "a.raw").write_bytes(DATA)
    folder = tmp_path / "in"
    folder.mkdir()
    with pytest.raises(ScanError, match=r"a.nhdr: .*(outside|several files|beside it|names itself)"):
        read_scan(put(folder, header(data_file=name), "a.nhdr"))


@pytest.mark.parametrize("axis", [0, 3])
def test_several_volumes(tmp_path, axis):
    directions, kinds = ["(0,0.5,0)", "(0,0,-0.6)", "(3.3,0,0)"], ["domain"] * 3
    directions.insert(axis, "none")
    kinds.insert(axis, "list")
    sizes = [2, 3, 2]
    sizes.insert(axis, 2)
    path = put(
        tmp_path,
        header(dimension="4", sizes=" ".join(map(str, sizes)), kinds=" ".join(kinds),
               space_directions=" ".join(directions)) + DATA,
    )  # fmt: skip
    with pytest.raises(ScanError, match="holds 2 volumes; pick one with --volume"):
        read_scan(path)
    whole = np.arange(24).reshape(sizes, order="F")
    np.testing.assert_array_equal(read_scan(path, volume=1).voxels, np.take(whole, 1, axis))


def test_one_volume_of_four_axes(tmp_path):
    changes = {"dimension": "4", "sizes": "2 3 4 1", "kinds": "domain domain domain list"}
    directions = "(0,0.5,0) (0,0,-0.6) (3.3,0,0) none"
    assert read_scan(put(tmp_path, header(**changes, space_directions=directions) + DATA)).voxels.shape == (
        2,
        3,
        4,
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sizes": "0 3 4"}, "no voxels"),
        ({"sizes": None}, "no voxels"),
        ({"sizes": "2 3"}, "do not agree"),
        ({"sizes": "99999 99999 99999"}, "more than SpineSeg can hold"),
        ({"sizes": "20 30 40"}, "cut short"),
        ({"type": "block"}, "block"),
        ({"type": "complex"}, "complex"),
        ({"encoding": "jpeg"}, "jpeg"),
        ({"endian": None}, "byte order"),
        ({"kinds": "domain domain"}, "another number of kinds"),
        ({"space_directions": "(0,0,0) (0,0,1) (1,0,0)"}, "spacing"),
        ({"space_directions": "(0,1,0) (0,1,0) (1,0,0)"}, "singular"),
        ({"space_directions": "(nan,1,0) (0,1,0) (1,0,0)"}, "not a number"),
        ({"space_directions": None, "space": None, "spacings": "1 nan 1"}, "not a number"),
        ({"space_directions": None, "space": None, "spacings": "1 1 inf"}, "not a number"),
        ({"space_directions": "(a,1,0) (0,1,0) (1,0,0)"}, "not a number"),
        ({"space_origin": "(1,inf,3)"}, "not a number"),
        ({"encoding": "gzip"}, "damaged compressed"),
        ({"encoding": "hex"}, "not numbers|cut short"),
    ],
)
def test_refusals(tmp_path, changes, words):
    with pytest.raises(ScanError, match=words):
        read_scan(put(tmp_path, header(**changes) + DATA))


def test_colours_are_refused(tmp_path):
    changes = {
        "type": "uchar",
        "dimension": "4",
        "sizes": "3 2 2 4",
        "kinds": "RGB-color domain domain domain",
    }
    directions = "none (0,0.5,0) (0,0,-0.6) (3.3,0,0)"
    with pytest.raises(ScanError, match="vectors or colours"):
        read_scan(put(tmp_path, header(**changes, space_directions=directions) + DATA * 2))


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("bzip2", bz2.compress)])
def test_streams_one_after_the_other_are_one(tmp_path, encoding, pack):
    path = put(tmp_path, header(encoding=encoding) + pack(DATA[:10]) + pack(DATA[10:]))
    np.testing.assert_array_equal(read_scan(path).voxels.ravel(order="F"), np.arange(24))
    with pytest.raises(ScanError, match=r"damaged compressed voxels|end too early"):
        read_scan(put(tmp_path, header(encoding=encoding) + pack(DATA[:10]) + pack(DATA[10:])[:-6]))


def test_a_large_volume_as_bzip2_is_refused_unread(tmp_path):
    path = put(tmp_path, header(encoding="bzip2", sizes="512 512 512", type="int32") + bz2.compress(DATA))
    with pytest.raises(ScanError, match="as bzip2 than SpineSeg reads; save it as gzip"):
        read_scan(path)


def test_bomb(tmp_path):
    with pytest.raises(ScanError, match="far more data"):
        read_scan(put(tmp_path, header(encoding="gzip") + gzip.compress(bytes(66 << 20), 1)))


@given(where=st.integers(0, 260), content=st.binary(min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_any_damage_is_a_sentence_or_a_scan(tmp_path_factory, where, content):
    good = bytearray(header() + DATA)
    good[where : where + len(content)] = content
    path = tmp_path_factory.getbasetemp() / "fuzz.nrrd"
    path.write_bytes(good)
    try:
        read_scan(path)
    except ScanError as error:
        assert "\n" not in str(error) and str(error).startswith("fuzz.nrrd: ")
