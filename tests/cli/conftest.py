"""The command as its user meets it, in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from segment_kit import save

from napari_spineseg.cli import main


@pytest.fixture
def spineseg(capfd) -> Callable[..., tuple[int, str, str]]:
    """Run `spineseg` with words; returns its exit status, stdout and stderr."""

    def run(*words: object) -> tuple[int, str, str]:
        capfd.readouterr()  # what was printed before is not this call's
        with pytest.raises(SystemExit) as done:
            main([str(word) for word in words])
        out, err = capfd.readouterr()
        print(err)  # for the report of a test that fails
        return int(done.value.code or 0), out, err

    return run


@pytest.fixture
def scan_file(tmp_path, small_scan) -> Path:
    """A scan with a dot in its name."""
    return save(small_scan, tmp_path / "scans" / "back.1.nii.gz")
