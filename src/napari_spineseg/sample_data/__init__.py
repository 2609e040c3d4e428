"""The sample scans: where they are, and the entries of napari's File > Open Sample.

The files themselves lie in the repository's `sample_data/` and are copied beside this module when
the package is built; see `sample_data/README.md`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_spineseg.errors import ScanError

T2 = "lumbar_t2.nii.gz"
T1 = "lumbar_t1.nii.gz"
STIR = "lumbar_stir.mha"
LABELS = {T2: "lumbar_t2_labels.nii.gz", T1: "lumbar_t1_labels.nii.gz", STIR: "lumbar_stir_labels.mha"}
"""Reference labels of each sample, in the `levels` scheme."""

LayerData = tuple[Any, dict[str, Any], str]


def sample_path(name: str = T2) -> Path:
    """Where a sample file is: inside the installed package, or in the checkout it was installed from.

    Raises
    ------
    ScanError
        If the installation has no such file.
    """
    here = Path(__file__).parent
    for folder in (here, here.parents[2] / "sample_data"):
        if (folder / name).is_file():
            return folder / name
    raise ScanError(f"The sample {name} is missing from this installation; install spineseg again.")
