from __future__ import annotations

import os
import socket
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless, generate_uid

from napari_spineseg.errors import ScanError
from napari_spineseg.io import read_scan


def check(scan, series, dtype=np.int16):
    np.testing.assert_array_equal(scan.voxels, series.voxels)
    np.testing.assert_allclose(scan.affine, series.affine, atol=1e-4)
    assert scan.voxels.dtype == dtype


def test_slices_are_ordered_by_position_not_by_name_or_number(series, tmp_path):
    scan = read_scan(series.write(tmp_path / "exam"))
    check(scan, series)
    assert (scan.name, scan.sequence, scan.warnings) == ("exam", "T2", ())
    np.testing.assert_allclose(scan.spacing, (0.5, 0.7, 4.0))


def test_patient_is_not_in_the_header(series, tmp_path):
    scan = read_scan(series.write(tmp_path / "exam"))
    assert "Doe" not in str(scan.header) and "42" not in scan.header.values()


@pytest.mark.parametrize("name", ["IM{:04d}", "1.2.840.{}", "{:04d}.IMA"])
def test_names_do_not_matter(series, tmp_path, name):
    check(read_scan(series.write(tmp_path / "exam", name)), series)


def test_rle_and_implicit_vr(make_series, voxels, tmp_path):
    rle = make_series(voxels, compress=RLELossless)
    check(read_scan(rle.write(tmp_path / "rle")), rle)
    implicit = make_series(voxels, syntax=ImplicitVRLittleEndian)
    check(read_scan(implicit.write(tmp_path / "implicit")), implicit)


@pytest.mark.parametrize("compressor", ["JPEG", "JPEG2000"])
def test_jpeg_without_pydicoms_plugins(series, tmp_path, monkeypatch, compressor):
    """Lossless JPEG is what archives send; its decoders for pydicom may not be installed."""
    import SimpleITK as sitk

    def none_installed(*_, **__):
        raise RuntimeError("no decoder")

    monkeypatch.setattr("napari_spineseg.io.dicom_pixels.pixel_array", none_installed)
    picture = sitk.GetImageFromArray(np.ascontiguousarray(series.voxels[:, :, :1].transpose(2, 1, 0)))
    picture.SetSpacing((0.5, 0.7, 3.5))
    picture.SetMetaData("0028|1053", "2")
    picture.SetMetaData("0028|1052", "-6")
    writer = sitk.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.SetFileName(str(tmp_path / "a.dcm"))
    writer.UseCompressionOn()
    writer.SetCompressor(compressor)
    writer.Execute(picture)
    assert "JPEG" in dcmread(tmp_path / "a.dcm").file_meta.TransferSyntaxUID.name
    # The writer stored (value + 6) / 2, cut to a whole number.
    expected = np.trunc((series.voxels[..., 0] + 6) / 2) * 2 - 6
    np.testing.assert_array_equal(read_scan(tmp_path / "a.dcm").voxels[..., 0], expected)


def test_without_preamble(series, tmp_path):
    folder = series.write(tmp_path / "exam", "IM{:04d}")
    for path in folder.iterdir():
        data = dcmread(path)
        del data.file_meta
        data.preamble = None
        dcmwrite(path, data, implicit_vr=True, little_endian=True, enforce_file_format=False)
        assert path.read_bytes()[128:132] != b"DICM"
    check(read_scan(folder), series)


@pytest.mark.parametrize("compress", [None, RLELossless])
def test_enhanced_multi_frame(series, make_enhanced, tmp_path, compress):
    series.compress = compress
    scan = read_scan(make_enhanced(series, tmp_path / "multi", order=[3, 0, 5, 1, 4, 2]))
    check(scan, series)
    assert scan.sequence == "T1"


def test_single_file_is_that_file_alone(series, tmp_path):
    folder = series.write(tmp_path / "exam")
    scan = read_scan(folder / "0014.dcm")
    np.testing.assert_array_equal(scan.voxels[..., 0], series.voxels[..., 2])
    assert scan.voxels.shape == (12, 10, 1)
    np.testing.assert_allclose(scan.spacing, (0.5, 0.7, 3.5))
    np.testing.assert_allclose(scan.affine[:3, 3], series.affine[:3] @ [0, 0, 2, 1], atol=1e-4)


def test_strays_are_ignored_and_nothing_hangs(series, tmp_path):
    folder = series.write(tmp_path / "exam")
    (folder / "notes.txt").write_text("hello")
    (folder / "empty").touch()
    (folder / "picture.png").write_bytes(b"\x89PNG" + bytes(300))
    os.mkfifo(folder / "pipe.dcm")
    os.symlink("/dev/zero", folder / "zero.dcm")
    os.symlink(folder / "nowhere", folder / "broken.dcm")
    os.symlink(folder, folder / "loop")
    plug = socket.socket(socket.AF_UNIX)
    plug.bind(str(folder / "s.dcm"))
    check(read_scan(folder), series)
    plug.close()


def test_images_in_subfolders_are_found(series, tmp_path):
    series.write(tmp_path / "cd" / "DICOM" / "S1")
    (tmp_path / "cd" / "readme.txt").write_text("viewer")
    check(read_scan(tmp_path / "cd"), series)


@pytest.mark.parametrize("kind", ["1.2.840.10008.1.3.10", "1.2.840.10008.5.1.4.1.1.88.11"])
def test_an_index_or_a_report_above_the_images_hides_none(series, tmp_path, save_dicom, kind):
    series.write(tmp_path / "cd" / "DICOM" / "S1")
    above = series.dataset(0)
    del above.PixelData
    above.SOPClassUID = above.file_meta.MediaStorageSOPClassUID = kind
    above.Modality = "SR"
    save_dicom(above, tmp_path / "cd" / "DICOMDIR")
    check(read_scan(tmp_path / "cd"), series)


def test_rescaling(make_series, voxels, tmp_path):
    scaled = make_series(voxels, extra={"RescaleSlope": 2, "RescaleIntercept": -7.5})
    scan = read_scan(scaled.write(tmp_path / "exam"))
    np.testing.assert_allclose(scan.voxels, voxels * 2 - 7.5)


def test_each_slice_has_its_own_rescaling(series, tmp_path, save_dicom):
    folder = tmp_path / "exam"
    folder.mkdir()
    for index in range(6):
        data = series.dataset(index)
        data.RescaleSlope, data.RescaleIntercept = index + 1, 0
        save_dicom(data, folder / f"{index}.dcm")
    scan = read_scan(folder)
    np.testing.assert_allclose(scan.voxels, series.voxels * np.arange(1, 7))


def test_monochrome1_is_turned_over(make_series, voxels, tmp_path):
    inverse = make_series(voxels, extra={"PhotometricInterpretation": "MONOCHROME1"})
    scan = read_scan(inverse.write(tmp_path / "exam"))
    np.testing.assert_array_equal(scan.voxels, int(voxels.max()) + int(voxels.min()) - voxels.astype(int))


def test_junk_in_unused_bits_is_masked(make_series, tmp_path):
    stored = np.random.default_rng(0).integers(0, 4096, (12, 10, 3)).astype(np.uint16)
    dirty = make_series(stored | 0x8000, extra={"BitsStored": 12, "HighBit": 11})
    np.testing.assert_array_equal(read_scan(dirty.write(tmp_path / "exam")).voxels, stored)


def test_two_series_are_named_and_can_be_picked(make_series, voxels, tmp_path):
    first, second = make_series(voxels, number=3), make_series(voxels[..., ::-1].copy(), number=4)
    first.write(tmp_path / "exam", "a{:03d}")
    second.write(tmp_path / "exam", "b{:03d}")
    with pytest.raises(ScanError, match=r"exam: holds 2 series.*--series: 3 = series 3; 4 = series 4"):
        read_scan(tmp_path / "exam")
    check(read_scan(tmp_path / "exam", series="4"), second)
    check(read_scan(tmp_path / "exam", series="series 3"), first)
    check(read_scan(tmp_path / "exam", series=second.uid), second)
    with pytest.raises(ScanError, match="no series 9"):
        read_scan(tmp_path / "exam", series="9")


def test_two_echoes_are_not_stacked(make_series, voxels, tmp_path):
    uid = generate_uid()
    early = make_series(voxels, uid=uid, extra={"EchoTime": 20.0, "EchoNumbers": 1})
    late = make_series(voxels + 1, uid=uid, extra={"EchoTime": 90.0, "EchoNumbers": 2})
    early.write(tmp_path / "exam", "a{:03d}")
    late.write(tmp_path / "exam", "b{:03d}")
    with pytest.raises(ScanError, match=r"5e1 = .*echo 1 \(TE 20 ms\); 5e2 = .*echo 2 \(TE 90 ms\)"):
        read_scan(tmp_path / "exam")
    check(read_scan(tmp_path / "exam", series="5e2"), late)


@pytest.mark.parametrize("moved", [0.0, -2.0, -24.0])
def test_two_echoes_of_one_number_are_not_stacked(make_series, voxels, tmp_path, save_dicom, moved):
    uid = generate_uid()
    early = make_series(voxels, uid=uid, extra={"EchoTime": 20.0, "EchoNumbers": 1})
    late = make_series(voxels + 1, uid=uid, extra={"EchoTime": 90.0, "EchoNumbers": 1})
    early.write(tmp_path / "exam", "a{:03d}")
    for index in range(voxels.shape[2]):
        data = late.dataset(index)
        data.ImagePositionPatient[0] += moved
        save_dicom(data, tmp_path / "exam" / f"b{index}")
    with pytest.raises(ScanError, match=r"5e1 = .*echo 1 \(TE 20 ms\); 5e2 = .*echo 2 \(TE 90 ms\)"):
        read_scan(tmp_path / "exam")
    check(read_scan(tmp_path / "exam", series="5e1"), early)


def test_echo_times_that_are_rounded_are_one_echo(make_series, voxels, tmp_path, save_dicom):
    series = make_series(voxels, extra={"EchoNumbers": 1})
    for index in range(voxels.shape[2]):
        data = series.dataset(index)
        data.EchoTime = 98.0 + 0.1 * index
        save_dicom(data, tmp_path / f"{index}")
    check(read_scan(tmp_path), series)


@pytest.mark.parametrize(
    "told_by",
    [
        {"SeriesInstanceUID": "1.2.3"},
        {"SeriesInstanceUID": ""},
        {"SeriesInstanceUID": "", "SeriesNumber": None},
    ],
)
@pytest.mark.parametrize("moved", [-2.0, -24.0])
def test_two_series_whose_uids_were_taken_away_are_not_stacked(
    make_series, voxels, tmp_path, save_dicom, told_by, moved
):
    for number in (3, 4):
        series = make_series(voxels, number=number)
        for index in range(voxels.shape[2]):
            data = series.dataset(index)
            data.ImagePositionPatient[0] += moved * (number - 3)
            for name, value in told_by.items():
                setattr(data, name, value)
            save_dicom(data, tmp_path / f"{number}-{index}")
    with pytest.raises(ScanError, match=r"holds 2 series.*series 3; .*series 4"):
        read_scan(tmp_path)
    check(read_scan(tmp_path, series="series 3"), make_series(voxels))


def test_water_and_fat_are_not_stacked(make_series, voxels, tmp_path):
    uid = generate_uid()
    make_series(voxels, uid=uid, extra={"ImageType": ["ORIGINAL", "PRIMARY", "W"]}).write(
        tmp_path / "e", "a{}"
    )
    fat = make_series(voxels + 1, uid=uid, extra={"ImageType": ["ORIGINAL", "PRIMARY", "F"]})
    fat.write(tmp_path / "e", "b{}")
    with pytest.raises(ScanError, match="holds 2 series or echoes"):
        read_scan(tmp_path / "e")
    check(read_scan(tmp_path / "e", series="5v1"), fat)


def test_a_slice_stored_twice_is_counted_once(series, tmp_path):
    folder = series.write(tmp_path / "exam")
    (folder / "copy").write_bytes((folder / "0014.dcm").read_bytes())
    scan = read_scan(folder)
    check(scan, series)
    assert "stored twice" in scan.warnings[0]


def test_slices_that_share_an_instance_uid_are_all_there(series, tmp_path, save_dicom):
    for index in range(series.voxels.shape[2]):
        data = series.dataset(index)
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
        save_dicom(data, tmp_path / f"{index}")
    scan = read_scan(tmp_path)
    check(scan, series)
    assert scan.warnings == ()


def test_two_slices_at_one_place_are_refused(series, tmp_path, save_dicom):
    folder = series.write(tmp_path / "exam")
    save_dicom(series.dataset(2), folder / "again.dcm")
    with pytest.raises(ScanError, match="two different slices at the same place"):
        read_scan(folder)


def test_a_missing_slice_is_refused(series, tmp_path):
    with pytest.raises(ScanError, match="lacks 1 slice"):
        read_scan(series.write(tmp_path / "exam", only=[0, 1, 2, 4, 5]))


def moved(series, folder, save_dicom, places):
    folder.mkdir()
    for index, place in enumerate(places):
        data = series.dataset(index)
        data.ImagePositionPatient = place
        save_dicom(data, folder / f"{index}.dcm")
    return folder


def test_uneven_slices(series, tmp_path, save_dicom):
    uneven = [[-x, 0, 0] for x in (0, 4, 8, 13.5, 17, 21)]
    with pytest.raises(ScanError, match="unevenly spaced"):
        read_scan(moved(series, tmp_path / "a", save_dicom, uneven))
    slightly = [[-x, 0, 0] for x in (0, 4, 8, 12.1, 16, 20)]
    assert "not quite evenly" in read_scan(moved(series, tmp_path / "b", save_dicom, slightly)).warnings[0]


def test_all_at_one_place_is_refused(series, tmp_path, save_dicom):
    with pytest.raises(ScanError, match="all its 6 slices at one place"):
        read_scan(moved(series, tmp_path / "a", save_dicom, [[1, 2, 3]] * 6))


def test_slanted_stack_keeps_every_slice_in_its_place(series, tmp_path, save_dicom):
    places = [[-4 * n, 0.5 * n, 0] for n in range(6)]
    scan = read_scan(moved(series, tmp_path / "a", save_dicom, places))
    np.testing.assert_allclose(scan.affine[:3] @ [0, 0, 5, 1], [20, -2.5, 0], atol=1e-6)
    assert "slanted" in scan.warnings[0]


def test_three_plane_localiser_is_refused(series, tmp_path, save_dicom):
    folder = tmp_path / "loc"
    folder.mkdir()
    planes = ([0, 1, 0, 0, 0, -1], [1, 0, 0, 0, 0, -1], [1, 0, 0, 0, 1, 0])
    for index, plane in enumerate(planes):
        data = series.dataset(index)
        data.ImageOrientationPatient = plane
        save_dicom(data, folder / f"{index}.dcm")
    with pytest.raises(ScanError, match="localiser"):
        read_scan(folder)


def test_different_sizes_are_refused(series, make_series, tmp_path, save_dicom):
    folder = series.write(tmp_path / "exam", only=[0, 1, 2])
    other = make_series(np.zeros((8, 8, 6), np.int16), uid=series.uid)
    save_dicom(other.dataset(3), folder / "small.dcm")
    with pytest.raises(ScanError, match="different size"):
        read_scan(folder)


def test_no_image(series, tmp_path, save_dicom):
    report = series.dataset(0)
    del report.PixelData
    report.Modality = "SR"
    (tmp_path / "exam").mkdir()
    path = save_dicom(report, tmp_path / "exam" / "report.dcm")
    with pytest.raises(ScanError, match=r"report.dcm: holds no image \(it is of kind SR\)"):
        read_scan(path)
    with pytest.raises(ScanError, match="exam: holds no DICOM image"):
        read_scan(path.parent)
    (tmp_path / "void").mkdir()
    with pytest.raises(ScanError, match="void: holds no DICOM image"):
        read_scan(tmp_path / "void")


@pytest.mark.parametrize("held", [140, 150, 400])
def test_a_slice_that_ends_before_its_pixels_is_missed(series, tmp_path, held):
    """At an end of the stack no gap betrays that it is gone."""
    folder = series.write(tmp_path / "exam")
    last = min(folder.iterdir())  # slice 0
    last.write_bytes(last.read_bytes()[:held])
    scan = read_scan(folder)
    assert scan.voxels.shape[2] == series.voxels.shape[2] - 1
    assert scan.warnings == ("1 damaged DICOM file(s) were left out.",)


def test_colour_is_refused_alone_and_left_out_beside_a_scan(series, tmp_path, save_dicom):
    folder = series.write(tmp_path / "exam")
    shot = series.dataset(0)
    shot.SeriesInstanceUID = generate_uid()
    shot.SamplesPerPixel, shot.PhotometricInterpretation, shot.PlanarConfiguration = 3, "RGB", 0
    shot.BitsAllocated, shot.BitsStored, shot.HighBit, shot.PixelRepresentation = 8, 8, 7, 0
    shot.PixelData = bytes(12 * 10 * 3)
    path = save_dicom(shot, folder / "shot.dcm")
    with pytest.raises(ScanError, match="colour"):
        read_scan(path)
    check(read_scan(folder), series)


@pytest.mark.parametrize("compress", [None, RLELossless])
def test_truncated_pixels_are_refused(make_series, voxels, tmp_path, compress):
    folder = make_series(voxels, compress=compress).write(tmp_path / "exam")
    path = folder / "0014.dcm"
    path.write_bytes(path.read_bytes()[:-60])
    for target in (path, folder):
        with pytest.raises(ScanError, match="cut short"):
            read_scan(target)


def test_claims_are_not_believed(series, tmp_path, save_dicom):
    huge = series.dataset(0)
    huge.Rows = huge.Columns = 60000
    with pytest.raises(ScanError, match="more than SpineSeg can hold"):
        read_scan(save_dicom(huge, tmp_path / "huge.dcm"))
    many = series.dataset(0)
    many.NumberOfFrames = 2**31 - 1
    with pytest.raises(ScanError, match="frames"):
        read_scan(save_dicom(many, tmp_path / "many.dcm"))


def test_element_longer_than_the_file(series, tmp_path, save_dicom):
    path = save_dicom(series.dataset(0), tmp_path / "a.dcm")
    content = bytearray(path.read_bytes())
    at = content.index(b"PN", 200)
    content[at + 2 : at + 4] = b"\xff\xff"
    path.write_bytes(content)
    with pytest.raises(ScanError, match=r"a\.dcm"):
        read_scan(path)


def test_zero_spacing_and_bad_directions_are_refused(make_series, voxels, tmp_path):
    zero = make_series(voxels, extra={"PixelSpacing": [0, 0.5]})
    with pytest.raises(ScanError, match="spacing of 0 mm"):
        read_scan(zero.write(tmp_path / "zero"))
    skew = make_series(voxels, extra={"ImageOrientationPatient": [0, 1, 0, 0, 1, 0]})
    with pytest.raises(ScanError, match="right angles"):
        read_scan(skew.write(tmp_path / "skew"))


def test_missing_spacing_warns(series, tmp_path, save_dicom):
    data = series.dataset(0)
    del data.PixelSpacing
    scan = read_scan(save_dicom(data, tmp_path / "a.dcm"))
    assert any("spacing" in w for w in scan.warnings)


def test_folder_of_unplaced_slices_is_refused(series, tmp_path, save_dicom):
    folder = tmp_path / "exam"
    folder.mkdir()
    for index in range(3):
        data: Dataset = series.dataset(index)
        del data.ImagePositionPatient
        save_dicom(data, folder / f"{index}.dcm")
    with pytest.raises(ScanError, match="do not say where they lie"):
        read_scan(folder)


@given(where=st.integers(132, 1100), content=st.binary(min_size=1, max_size=10))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damage_is_a_sentence_or_a_scan(series, save_dicom, tmp_path_factory, where, content):
    path = save_dicom(series.dataset(0), tmp_path_factory.getbasetemp() / "fuzz.dcm")
    good = bytearray(path.read_bytes())
    good[where : where + len(content)] = content
    path.write_bytes(good)
    try:
        scan = read_scan(path)
    except ScanError as error:
        assert "\n" not in str(error) and str(error).startswith("fuzz.dcm: ")
    else:
        assert np.isfinite(scan.voxels).all()


def test_deflated_and_random_bytes_are_refused(tmp_path):
    head = bytes(128) + b"DICM"
    (tmp_path / "deflated.dcm").write_bytes(head + b"\x02\x00\x10\x00UI\x16\x001.2.840.10008.1.2.1.99")
    noise = np.random.default_rng(0).bytes(5000)
    (tmp_path / "noise.dcm").write_bytes(head + noise)
    for name in ("deflated.dcm", "noise.dcm"):
        with pytest.raises(ScanError, match=name):
            read_scan(tmp_path / name)


def rle_frame(*segments: bytes) -> bytes:
    """A header of offsets and the segments."""
    starts = np.cumsum([64, *map(len, segments)])[: len(segments)]
    return struct.pack("<16L", len(segments), *starts, *[0] * (15 - len(segments))) + b"".join(segments)


@pytest.mark.parametrize("runs", [600_000, 2_000_000])
def test_an_rle_frame_that_unpacks_to_far_more_than_its_picture_is_refused(series, tmp_path, runs):
    """A byte pair is up to 128 bytes: 60 MB for a picture of 4096 x 4096 took 4 GB."""
    data = series.dataset(0)
    data.Rows = data.Columns = 1024
    most = b"\x81\x00" * runs  # 128 times zero
    data.PixelData = encapsulate([rle_frame(most, most)])
    data["PixelData"].VR, data["PixelData"].is_undefined_length = "OB", True
    data.file_meta.TransferSyntaxUID = RLELossless
    data.save_as(tmp_path / "bomb.dcm", enforce_file_format=True)
    with pytest.raises(ScanError, match=r"(unpacks to|holds) far more"):
        read_scan(tmp_path / "bomb.dcm")


def test_a_large_rle_frame_of_noise_is_read(tmp_path, make_series):
    """Noise does not pack: such a frame is longer than its picture, and no bomb."""
    voxels = np.random.default_rng(0).integers(0, 60000, (900, 800, 1)).astype(np.uint16)
    noise = make_series(voxels, compress=RLELossless)
    np.testing.assert_array_equal(read_scan(noise.write(tmp_path / "noise")).voxels, voxels)


def test_a_deflated_file_is_refused_before_it_is_inflated_wherever_it_says_so(series, tmp_path):
    data = series.dataset(0)
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    # The line with the syntax stands behind this one, beyond the first bytes that are looked at.
    data.file_meta.FileMetaInformationVersion = b"\0" * 5000
    data.PixelData, data.Rows, data.Columns = bytes(60_000_000), 5000, 6000
    data.save_as(tmp_path / "bomb.dcm", enforce_file_format=True)
    tracemalloc.start()
    try:
        with pytest.raises(ScanError, match="is a deflated DICOM file"):
            read_scan(tmp_path / "bomb.dcm")
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
