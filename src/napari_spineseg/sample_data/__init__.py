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


def open_t2() -> list[LayerData]:
    """Layers of "Lumbar T2 (phantom)"."""
    return [_scan_layer(T2)]


def open_t1() -> list[LayerData]:
    """Layers of "Lumbar T1 (phantom)"."""
    return [_scan_layer(T1)]


def open_t2_with_labels() -> list[LayerData]:
    """Layers of "Lumbar T2 with labels (phantom)": the scan and its reference labels."""
    from napari_spineseg.io import read_segmentation
    from napari_spineseg.io.layers import layer_tuple_for_segmentation

    return [_scan_layer(T2), layer_tuple_for_segmentation(read_segmentation(sample_path(LABELS[T2])))]


def _scan_layer(name: str) -> LayerData:
    from napari_spineseg.io import read_scan
    from napari_spineseg.io.layers import layer_tuple_for_scan

    return layer_tuple_for_scan(read_scan(sample_path(name)))
