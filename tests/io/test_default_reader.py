from pathlib import Path

from npe2 import PluginManifest

import napari_spineseg
from napari_spineseg.io.default_reader import PATTERNS, READER, is_default, with_spineseg


def test_other_preferences_stay():
    before = {"*.png": "napari", "*.nii": "other"}
    after = with_spineseg(before)
    assert after["*.png"] == "napari" and after["*.nii"] == READER and before["*.nii"] == "other"


def test_is_default_after_and_not_before():
    assert not is_default({}) and not is_default({"*.nii": READER})
    assert is_default(with_spineseg({}))


def test_every_pattern_is_one_the_manifest_reads():
    manifest = PluginManifest.from_file(Path(napari_spineseg.__file__).parent / "napari.yaml")
    assert manifest.name == READER
    read = {pattern for reader in manifest.contributions.readers for pattern in reader.filename_patterns}
    assert set(PATTERNS) <= read
