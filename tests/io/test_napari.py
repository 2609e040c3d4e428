from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from napari.components import ViewerModel
from npe2 import PluginManager, PluginManifest

import napari_spineseg
from napari_spineseg.errors import ScanError
from napari_spineseg.io import read_scan, read_segmentation, write_scan, write_segmentation
from napari_spineseg.io.napari import get_reader
from napari_spineseg.scan import Scan, Segmentation

OBLIQUE = np.array([[0.1, 0.2, 3.9, -11], [1.9, 0, 0.3, -21], [0, -2.1, 0.1, 31], [0, 0, 0, 1]])
ENDINGS = [".nii.gz", ".nii", ".mha", ".mhd", ".nrrd", ".tif"]


@pytest.fixture(autouse=True)
def plugins(monkeypatch):
    """A plugin manager that knows this plugin by its own manifest, as napari would."""
    manager = PluginManager()
    manifest = PluginManifest.from_file(Path(napari_spineseg.__file__).parent / "napari.yaml")
    manager.register(manifest)
    monkeypatch.setattr(PluginManager, "instance", classmethod(lambda cls: manager))
    monkeypatch.setattr("napari.plugins._npe2.pm", manager)
    return manager


@pytest.fixture
def viewer():
    return ViewerModel()


def scan(affine=OBLIQUE):
    return Scan(np.random.default_rng(0).integers(0, 999, (8, 9, 10)).astype(np.int16), affine)


def labels():
    values = np.zeros((8, 9, 10), np.uint16)
    values[2:6, 2:6, 1:4], values[2:6, 2:6, 4], values[2:6, 2:6, 5:9], values[:, 7] = 1, 201, 2, 100
    return Segmentation(values, OBLIQUE)


@pytest.mark.parametrize("ending", ENDINGS)
def test_open_and_save_an_image(tmp_path, viewer, ending):
    before = scan()
    write_scan(before, tmp_path / f"a{ending}")
    (layer,) = viewer.open(tmp_path / f"a{ending}", plugin="spineseg")
    np.testing.assert_array_equal(layer.data, before.sagittal())
    np.testing.assert_allclose(layer.scale, before.grid.to_orientation().grid.spacing, rtol=1e-5)
    for out in ENDINGS:
        assert layer.save(str(tmp_path / f"b{out}"), plugin="spineseg")
        after = read_scan(tmp_path / f"b{out}")
        np.testing.assert_array_equal(after.voxels, before.voxels)
        np.testing.assert_allclose(after.affine, OBLIQUE, atol=1e-4)


@pytest.mark.parametrize("ending", [".nii.gz", ".mhd", ".tif"])
def test_open_and_save_labels(tmp_path, viewer, ending):
    before = labels()
    write_segmentation(before, tmp_path / f"a_seg{ending}")
    (layer,) = viewer.open(tmp_path / f"a_seg{ending}", plugin="spineseg")
    assert layer._type_string == "labels" and "L5/S1" in set(layer.features["name"])
    for out in ENDINGS:
        saved = layer.save(str(tmp_path / f"b{out}"), plugin="spineseg")
        assert [Path(p).exists() for p in saved] == [True] * (2 if out == ".mhd" else 1)
        after = read_segmentation(tmp_path / f"b{out}")
        np.testing.assert_array_equal(after.labels, before.labels)
        np.testing.assert_allclose(after.affine, OBLIQUE, atol=1e-4)


def test_labels_of_another_program_are_labels(tmp_path, viewer):
    nib.save(nib.Nifti1Image(labels().labels.astype(np.uint8), OBLIQUE), tmp_path / "case_levels.nii.gz")
    nib.save(nib.Nifti1Image(scan().voxels.astype(np.uint8), OBLIQUE), tmp_path / "case.nii.gz")
    assert viewer.open(tmp_path / "case_levels.nii.gz", plugin="spineseg")[0]._type_string == "labels"
    assert viewer.open(tmp_path / "case.nii.gz", plugin="spineseg")[0]._type_string == "image"


def test_dicom_folder_and_files_without_an_ending(tmp_path, viewer, series):
    folder = series.write(tmp_path / "exam", "IM{:04d}")
    (layer,) = viewer.open(folder, plugin="spineseg")
    assert layer.data.shape == (6, 10, 12) and layer.name == "exam"
    np.testing.assert_allclose(layer.scale, (4, 0.7, 0.5))
    assert viewer.open(folder / "IM0014", plugin="spineseg")[0].data.shape == (1, 10, 12)
    shutil.copy(folder / "IM0014", tmp_path / "1.2.840.113.77")
    assert viewer.open(tmp_path / "1.2.840.113.77", plugin="spineseg")[0].data.shape == (1, 10, 12)


def test_a_drop_needs_no_choice_where_only_we_can_read(tmp_path, viewer, series):
    """Without a plugin named: what napari does with a drop."""
    folder = series.write(tmp_path / "exam", "IM{:04d}")
    assert len(viewer.open(folder / "IM0014", plugin=None)) == 1


def test_several_files_are_several_scans(tmp_path):
    for name in ("a.nii", "b.nii"):
        write_scan(scan(), tmp_path / name)
    paths = [str(tmp_path / "a.nii"), str(tmp_path / "b.nii")]
    assert [options["name"] for _, options, _ in get_reader(paths)(paths)] == ["a", "b"]


def test_a_bad_file_is_one_notification(tmp_path, viewer, monkeypatch):
    said = []
    monkeypatch.setattr("napari.utils.notifications.show_error", said.append)
    (tmp_path / "bad.nii").write_bytes(b"x" * 500)
    with pytest.raises(ScanError):
        viewer.open(tmp_path / "bad.nii", plugin="spineseg")
    assert len(said) == 1 and said[0].startswith("bad.nii: ")


def test_warnings_are_notifications(tmp_path, viewer, monkeypatch):
    said = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", said.append)
    write_scan(scan(), tmp_path / "a.nii")
    viewer.open(tmp_path / "a.nii", plugin="spineseg")
    assert said == []
    import tifffile

    tifffile.imwrite(tmp_path / "a.tif", np.zeros((3, 4, 5), np.uint16), photometric="minisblack")
    viewer.open(tmp_path / "a.tif", plugin="spineseg")
    assert any(word.startswith("a.tif: ") and "spacing" in word for word in said)


@pytest.mark.parametrize("name", ["a.png", "notes.txt", "README", "data", "1.2.3"])
def test_what_is_not_ours_is_left_alone(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x89PNG\r\n" + bytes(range(256)) * 4)
    assert get_reader(str(tmp_path / name)) is None
    assert get_reader([str(tmp_path / name)]) is None


def test_folders_without_dicom_are_left_alone(tmp_path):
    for number in range(60):
        (tmp_path / f"{number}.jpg").write_bytes(b"\xff\xd8\xff" + bytes(200))
    os.mkfifo(tmp_path / "pipe")
    assert get_reader(str(tmp_path)) is None
    assert get_reader(str(tmp_path / "nowhere")) is None


def test_a_pipe_with_our_ending_is_refused_in_words(tmp_path, viewer):
    os.mkfifo(tmp_path / "a.nii")
    with pytest.raises(ScanError, match="is a pipe"):
        viewer.open(tmp_path / "a.nii", plugin="spineseg")


def test_pictures_do_not_reach_us(plugins, tmp_path):
    """napari asks which reader to use where two patterns match; ours must not match every file."""
    for name in ("a.png", "a.jpg", "photo 2024.png", "table.csv", "script.py", "x.zarr", "a.b.tiff.png"):
        assert not list(plugins.iter_compatible_readers([str(tmp_path / name)])), name
    for name in ("a.nii.gz", "A.NII", "b.c.mha", "a.dcm", "a.TIF", "IM0001", "1.2.840.113.5", "I"):
        assert list(plugins.iter_compatible_readers([str(tmp_path / name)])), name
    assert list(plugins.iter_compatible_readers([str(tmp_path)]))


def test_reader_and_rooms_load_no_torch(tmp_path):
    write_scan(scan(), tmp_path / "a.nii.gz")
    code = (
        "import sys, napari_spineseg.io, napari_spineseg.io.napari as hook\n"
        f"assert hook.get_reader({str(tmp_path / 'a.nii.gz')!r})\n"
        f"from pathlib import Path; napari_spineseg.io.read_scan(Path({str(tmp_path / 'a.nii.gz')!r}))\n"
        "loaded = {'torch', 'SimpleITK', 'qtpy', 'napari.layers', 'tifffile'} & set(sys.modules)\n"
        "sys.exit(', '.join(loaded) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
