"""What tests of `spineseg segment` share."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib

from napari_spineseg.scan import Scan

MODEL = ("--model", "tiny", "--device", "cpu")


def save(scan: Scan, path: Path) -> Path:
    """Write `scan` as NIfTI to `path`, whose folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(scan.voxels, scan.affine), path)
    return path
