"""The sample scans: small, whole, true to their labels, and offered by napari."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

import napari_spineseg
from napari_spineseg import sample_data
from napari_spineseg.errors import ScanError
from napari_spineseg.io import read_scan, read_segmentation
from napari_spineseg.sample_data import LABELS, STIR, T1, T2, sample_path

REPOSITORY = Path(__file__).parents[1]
SAMPLES = [T2, T1, STIR]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_small_and_reads_with_its_labels(name):
    assert sample_path(name).stat().st_size <= 2_000_000
    assert sample_path(LABELS[name]).stat().st_size <= 200_000
    scan, truth = read_scan(sample_path(name)), read_segmentation(sample_path(LABELS[name]))
    assert not scan.warnings
    assert scan.grid.same_place_as(truth.grid)
    assert truth.scheme == "levels"
    assert set(range(1, 7)) | set(range(201, 207)) | {100} <= truth.found().keys()
    assert scan.voxels.nbytes < 8_000_000


@pytest.mark.parametrize(("name", "sequence"), [(T2, "T2"), (T1, "T1"), (STIR, "STIR")])
def test_a_sample_knows_its_sequence(name, sequence):
    assert read_scan(sample_path(name)).sequence == sequence


def test_t1_and_t2_are_the_same_person_and_the_stir_lies_along_other_axes():
    t1, t2 = (read_segmentation(sample_path(LABELS[n])) for n in (T1, T2))
    assert np.array_equal(t1.labels, t2.labels)
    assert read_scan(sample_path(STIR)).orientation != read_scan(sample_path(T2)).orientation


def test_a_missing_sample_is_said_in_words():
    with pytest.raises(ScanError, match=r"nothing\.nii is missing from this installation"):
        sample_path("nothing.nii")


def test_finding_the_samples_loads_neither_torch_nor_napari():
    code = "import sys, napari_spineseg.sample_data as s; s.sample_path(); "
    code += "print({'torch', 'napari'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"


def manifest_samples() -> list[dict]:
    manifest = yaml.safe_load((Path(napari_spineseg.__file__).parent / "napari.yaml").read_text("utf-8"))
    commands = {c["id"]: c["python_name"] for c in manifest["contributions"]["commands"]}
    return [s | {"python_name": commands[s["command"]]} for s in manifest["contributions"]["sample_data"]]


@pytest.mark.parametrize("sample", manifest_samples(), ids=lambda s: s["key"])
def test_every_entry_of_open_sample_gives_layers(sample):
    module, function = sample["python_name"].split(":")
    assert module == sample_data.__name__
    layers = getattr(sample_data, function)()
    assert [kind for _, _, kind in layers] == (
        ["image", "labels"] if "labels" in sample["key"] else ["image"]
    )
    for data, options, _ in layers:
        assert data.ndim == 3
        assert options["scale"][0] == pytest.approx(4.0)
        assert options["metadata"]["spineseg"]["kind"] in ("scan", "segmentation")


def test_the_first_sample_of_the_manifest_is_the_demonstration():
    assert manifest_samples()[0]["display_name"] == "Lumbar T2 (phantom)"


@pytest.mark.slow
def test_the_files_are_what_the_script_makes(tmp_path):
    script = REPOSITORY / "scripts" / "make_sample_data.py"
    subprocess.run([sys.executable, script, tmp_path], check=True)
    for name in SAMPLES:
        made, kept = read_scan(tmp_path / name).voxels, read_scan(sample_path(name)).voxels
        # Other processors round the last bit of a sum differently: a grey value may flip here and there.
        assert np.mean(made != kept) < 1e-3
        assert np.abs(made.astype(int) - kept).max() <= 2
        labels = [read_segmentation(f / LABELS[name]).labels for f in (tmp_path, sample_path(name).parent)]
        assert np.mean(labels[0] != labels[1]) < 1e-5
