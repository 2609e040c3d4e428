from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_spineseg.errors import ScanError
from napari_spineseg.io import read_scan


@pytest.fixture
def pages() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 1000, (5, 20, 30)).astype(np.uint16)


@pytest.fixture
def tiff(tmp_path):
    def write(data, **options):
        tifffile.imwrite(tmp_path / "a.tif", data, **options)
        return tmp_path / "a.tif"

    return write


@pytest.mark.parametrize(
    "options",
    [
        {}, {"compression": "zlib"}, {"compression": "zlib", "predictor": True}, {"byteorder": ">"},
        {"bigtiff": True}, {"tile": (16, 16)}, {"tile": (16, 16), "compression": "zlib"}, {"rowsperstrip": 7},
        {"metadata": None}, {"imagej": True},
    ],
)  # fmt: skip
def test_pages_are_slices(tiff, pages, options):
    scan = read_scan(tiff(pages, **options))
    np.testing.assert_array_equal(scan.voxels, pages)
    np.testing.assert_array_equal(scan.sagittal(), pages)
    assert scan.orientation == "RIP" and scan.spacing == (1, 1, 1)
    assert any("spacing" in w for w in scan.warnings)


@pytest.mark.parametrize("dtype", ["u1", "i2", "f4", "i4", "f8"])
def test_types(tiff, pages, dtype):
    np.testing.assert_array_equal(read_scan(tiff(pages.astype(dtype))).voxels, pages.astype(dtype))


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits"])
def test_other_programs_compression(tmp_path, pages, compression):
    first, *rest = [Image.fromarray(page) for page in pages]
    first.save(tmp_path / "a.tif", save_all=True, append_images=rest, compression=compression)
    np.testing.assert_array_equal(read_scan(tmp_path / "a.tif").voxels, pages)


@pytest.mark.parametrize(
    ("unit", "factor"), [("mm", 1), ("cm", 10), ("um", 1e-3), ("\\u00B5m", 1e-3), ("inch", 25.4)]
)
def test_imagej_spacing(tiff, pages, unit, factor):
    metadata = {"spacing": 3.3 / factor, "unit": unit, "axes": "ZYX"}
    path = tiff(pages, imagej=True, resolution=(factor / 0.5, factor / 0.6), metadata=metadata)
    np.testing.assert_allclose(read_scan(path).spacing, (3.3, 0.6, 0.5), rtol=1e-4)
    assert not any("spacing" in w for w in read_scan(path).warnings)


def test_imagej_stack_in_one_page(tmp_path, pages):
    """What ImageJ writes beyond 4 GB: one directory, the other slices right behind the first."""
    description = "ImageJ=1.54f\nimages=5\nslices=5\nunit=mm\nspacing=3.3\n"
    tifffile.imwrite(tmp_path / "a.tif", pages[0], description=description, metadata=None, resolution=(2, 2))
    with (tmp_path / "a.tif").open("ab") as file:
        with tifffile.TiffFile(tmp_path / "a.tif") as written:
            page = written.pages[0]
            assert page.dataoffsets[0] + page.databytecounts[0] == file.tell()
        file.write(pages[1:].tobytes())
    np.testing.assert_array_equal(read_scan(tmp_path / "a.tif").voxels, pages)


def test_imagej_stack_that_is_cut_is_refused(tmp_path, pages):
    description = "ImageJ=1.54f\nimages=5\nslices=5\nunit=mm\nspacing=3.3\n"
    tifffile.imwrite(tmp_path / "a.tif", pages[0], description=description, metadata=None, resolution=(2, 2))
    with (tmp_path / "a.tif").open("ab") as file:
        file.write(pages[1:].tobytes()[:-1])
    with pytest.raises(ScanError, match="cut short: it describes 5 slices and holds 1"):
        read_scan(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ((b'SizeZ="5"', b'SizeZ="9"'), "describes 9 slices and holds 5"),
        ((b"</Image>", b"</Image><Pixels ID='2'/>"), "or series"),
    ],
)
def test_ome_that_tells_of_more_than_one_stack(tmp_path, pages, change, words):
    tifffile.imwrite(tmp_path / "a.ome.tif", pages, metadata={"axes": "ZYX"})
    description = tifffile.tiffcomment(tmp_path / "a.ome.tif").encode()
    assert change[0] in description
    tifffile.tiffcomment(tmp_path / "a.ome.tif", description.replace(*change))
    with pytest.raises(ScanError, match=words):
        read_scan(tmp_path / "a.ome.tif")


def test_ome_spacing(tmp_path, pages):
    names = {f"PhysicalSize{axis}": size for axis, size in zip("XYZ", (500, 0.6, 3.3), strict=True)}
    units = {"PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "mm", "PhysicalSizeZUnit": "mm"}
    tifffile.imwrite(tmp_path / "a.ome.tif", pages, metadata={"axes": "ZYX", **names, **units})
    np.testing.assert_allclose(read_scan(tmp_path / "a.ome.tif").spacing, (3.3, 0.6, 0.5))


def test_ome_never_opens_another_file(tmp_path, pages):
    """Metadata that name other files as the slices' home are not followed."""
    (tmp_path / "other.ome.tif").write_bytes(b"secret")
    xml = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        '<Image ID="Image:0">'
        '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="30" SizeY="20" SizeZ="9" '
        'SizeC="1" SizeT="1"><TiffData FirstZ="0">'
        '<UUID FileName="other.ome.tif">urn:uuid:1</UUID></TiffData></Pixels>'
        "</Image></OME>"
    )
    tifffile.imwrite(tmp_path / "a.ome.tif", pages, description=xml, metadata=None)
    scan = read_scan(tmp_path / "a.ome.tif")
    assert scan.voxels.shape == pages.shape
    assert "The TIFF is one file of several: of 9 slices, 5 are in it." in scan.warnings


def test_resolution_tags(tiff, pages):
    scan = read_scan(tiff(pages, resolution=(20, 25), resolutionunit="CENTIMETER"))
    np.testing.assert_allclose(scan.spacing, (1, 0.4, 0.5))
    assert "slice spacing" in scan.warnings[0]
    scan = read_scan(tiff(pages, resolution=(72, 72), resolutionunit="INCH"))
    assert "print resolution of 72 dpi" in scan.warnings[0]


def test_white_is_zero_is_turned_over(tiff, pages):
    scan = read_scan(tiff(pages, photometric="miniswhite"))
    np.testing.assert_array_equal(scan.voxels, 65535 - pages)


@pytest.mark.parametrize(("dtype", "top"), [("u1", 255), ("u2", 65535)])
def test_white_is_zero_is_turned_over_once_where_pillow_decodes(tmp_path, pages, dtype, top):
    pages = pages.astype(dtype)
    path = tmp_path / "a.tif"
    first, *rest = [Image.fromarray(page) for page in pages]
    first.save(path, save_all=True, append_images=rest, compression="tiff_lzw")
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as written:
        for page in written.pages:
            content[page.tags[262].valueoffset] = 0
    path.write_bytes(content)
    np.testing.assert_array_equal(read_scan(path).voxels, top - pages)


def test_many_pages_are_walked_through_once(tmp_path, monkeypatch):
    pictures = [Image.fromarray(np.full((4, 4), n, np.uint8)) for n in range(60)]
    pictures[0].save(tmp_path / "a.tif", save_all=True, append_images=pictures[1:], compression="tiff_lzw")
    opened, real = [], Image.open
    monkeypatch.setattr(Image, "open", lambda *args, **options: opened.append(1) or real(*args, **options))
    assert read_scan(tmp_path / "a.tif").voxels[:, 0, 0].tolist() == list(range(60))
    assert len(opened) == 1


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        (np.zeros((4, 20, 30, 3), "u1"), {"photometric": "rgb"}, "in colour"),
        (np.zeros((20, 30, 3), "u1"), {"photometric": "rgb"}, "in colour"),
        (np.zeros((20, 30), "c8"), {"photometric": "minisblack"}, "not grey values"),
        (np.zeros((4, 3, 20, 30), "u2"), {"imagej": True, "metadata": {"axes": "TZYX"}}, "--volume"),
        (np.zeros((4, 3, 20, 30), "u2"), {"imagej": True, "metadata": {"axes": "ZCYX"}}, "several channels"),
        (np.zeros((20, 30), "u1"), {"colormap": np.zeros((3, 256), "u2")}, "in colour"),
    ],
)
def test_refusals(tiff, data, options, words):
    with pytest.raises(ScanError, match=words):
        read_scan(tiff(data, **options))


def test_volume_of_a_time_series(tiff):
    data = np.arange(4 * 3 * 5 * 6, dtype="u2").reshape(4, 3, 5, 6)
    path = tiff(data, imagej=True, metadata={"axes": "TZYX"})
    np.testing.assert_array_equal(read_scan(path, volume=2).voxels, data[2])


@pytest.mark.parametrize("axes", [None, "TZYX", "CZYX"])
def test_volumes_that_python_wrote_are_not_stacked(tiff, axes):
    data = np.arange(4 * 3 * 5 * 6, dtype="u2").reshape(4, 3, 5, 6)
    path = tiff(data, photometric="minisblack", metadata={"axes": axes} if axes else {})
    with pytest.raises(ScanError, match=r"holds 4 volumes; pick one with --volume \(0 to 3\)"):
        read_scan(path)
    np.testing.assert_array_equal(read_scan(path, volume=2).voxels, data[2])


def test_volumes_that_alternate_in_what_python_wrote_are_refused(tiff):
    path = tiff(np.zeros((3, 4, 5, 6), "u2"), photometric="minisblack", metadata={"axes": "ZTYX"})
    with pytest.raises(ScanError, match="several channels or series"):
        read_scan(path)


@pytest.mark.parametrize(
    "said", ['{"shape": [0, 5]}', '{"shape": 3, "axes": 4}', "[1]", "{", '{"shape": []}']
)
def test_a_description_that_is_no_shape_changes_nothing(tiff, pages, said):
    path = tiff(pages, description=said, metadata=None)
    np.testing.assert_array_equal(read_scan(path).voxels, pages)


def test_pages_of_different_size_are_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(np.zeros((20, 30), "u2"))
        writer.write(np.zeros((21, 30), "u2"))
    with pytest.raises(ScanError, match="different size"):
        read_scan(tmp_path / "a.tif")


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_truncated_is_refused(tiff, pages, compression):
    path = tiff(pages, compression=compression)
    path.write_bytes(path.read_bytes()[: 2 * path.stat().st_size // 3])
    with pytest.raises(ScanError, match=r"a\.tif: "):
        read_scan(path)


def test_directories_in_a_circle_are_refused(tiff, pages):
    path = tiff(pages[:2], metadata=None)
    with tifffile.TiffFile(path) as written:
        first, second = written.pages
        content = bytearray(path.read_bytes())
    tags = int.from_bytes(content[second.offset : second.offset + 2], "little")
    link = second.offset + 2 + 12 * tags
    content[link : link + 4] = first.offset.to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(ScanError, match="damaged TIFF"):
        read_scan(path)


def test_claims_are_not_believed(tiff):
    path = tiff(np.zeros((4, 4), "u2"), metadata=None)
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as written:
        places = [written.pages[0].tags[code].valueoffset for code in (256, 257)]
    for place in places:
        content[place : place + 4] = (60000).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(ScanError, match="more than SpineSeg can hold"):
        read_scan(path)


def test_strip_bomb_is_refused(tmp_path):
    import zlib

    packed = zlib.compress(bytes(1 << 20))
    tifffile.imwrite(
        tmp_path / "a.tif", iter([packed]), shape=(20, 30), dtype="u1", compression="zlib", metadata=None
    )
    with pytest.raises(ScanError, match="far more data"):
        read_scan(tmp_path / "a.tif")


def test_a_forged_note_is_not_believed(tmp_path, pages):
    """A grid in the description that does not fit the pages is passed over."""
    for note in (
        {"affine": np.eye(4).tolist(), "shape": [1, 2, 3]},
        {"affine": "x", "shape": [5, 20, 30]},
        {},
    ):
        text = "ImageJ=1\nspineseg=" + json.dumps({"kind": "scan", **note}) + "\n"
        tifffile.imwrite(tmp_path / "a.tif", pages, description=text, metadata=None)
        np.testing.assert_array_equal(read_scan(tmp_path / "a.tif").voxels, pages)


@given(where=st.integers(0, 480), content=st.binary(min_size=1, max_size=10), packed=st.booleans())
@settings(max_examples=80, deadline=None)
def test_any_damage_is_a_sentence_or_a_scan(tmp_path_factory, where, content, packed):
    path = tmp_path_factory.getbasetemp() / "fuzz.tif"
    data = np.arange(2 * 5 * 6, dtype="u2").reshape(2, 5, 6)
    tifffile.imwrite(path, data, imagej=not packed, compression="zlib" if packed else None)
    good = bytearray(path.read_bytes())
    good[where : where + len(content)] = content
    path.write_bytes(good)
    try:
        read_scan(path)
    except ScanError as error:
        assert "\n" not in str(error) and str(error).startswith("fuzz.tif: ")
