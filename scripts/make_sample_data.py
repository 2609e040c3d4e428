"""Make the sample scans of `sample_data/` anew. Equal code gives equal voxels.

python scripts/make_sample_data.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

from napari_spineseg import sample_data
from napari_spineseg.io import write_scan, write_segmentation
from napari_spineseg.scan import Scan, Segmentation
from napari_spineseg.synthesis.phantom import PhantomSettings, make_phantom

FOLDER = Path(__file__).parents[1] / "sample_data"
GRID = {"spacing_mm": (4.0, 0.65, 0.65), "field_of_view_mm": (68, 260, 260)}
# T1 and T2 show the same person. The STIR is stored along other axes, as scanners do too.
SAMPLES: dict[str, tuple[PhantomSettings, tuple[str, str, str]]] = {
    sample_data.T2: (PhantomSettings(seed=2, sequence="T2", **GRID), ("R", "I", "P")),
    sample_data.T1: (PhantomSettings(seed=2, sequence="T1", **GRID), ("R", "I", "P")),
    sample_data.STIR: (
        PhantomSettings(seed=5, sequence="STIR", spacing_mm=(4.4, 0.8, 0.8), field_of_view_mm=(66, 256, 256)),
        ("L", "P", "S"),
    ),
}


def main(folder: Path = FOLDER) -> None:
    """Write every sample and its labels into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (settings, axes) in SAMPLES.items():
        scan, truth = turned(*make_phantom(settings), axes)
        write_scan(scan, folder / name)
        write_segmentation(truth, folder / sample_data.LABELS[name])
        print(f"{name}: {(folder / name).stat().st_size / 1e6:.2f} MB")


def turned(scan: Scan, truth: Segmentation, axes: tuple[str, str, str]) -> tuple[Scan, Segmentation]:
    """The same phantom stored along other axes."""
    turn = scan.grid.to_orientation(axes)
    affine = turn.grid.affine
    return (
        Scan(turn.apply(scan.voxels), affine, name=scan.name, sequence=scan.sequence, header=scan.header),
        Segmentation(turn.apply(truth.labels), affine, name=truth.name, numbering=truth.numbering),
    )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
