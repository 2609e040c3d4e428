"""Segment labelled scans in the probed precision and in float32, for a scorer to compare.

    python -m benchmarks.precision DATA OUT

DATA holds `<set>/<id>_image.nii.gz`, at any depth; OUT receives `probed/<set>/` and `fp32/<set>/`, with the
names that `spineseg segment` would give. Both are then scored alike, and may differ by .001 Dice.
"""

from __future__ import annotations

import sys
from pathlib import Path

from napari_spineseg import io
from napari_spineseg.core import device, engine
from napari_spineseg.progress import Control
from napari_spineseg.segment import SegmentSettings, segment


def main(data: Path, out: Path) -> None:
    images = sorted(data.rglob("*_image.nii.gz"))
    if not images:
        sys.exit(f"{data} holds no <id>_image.nii.gz.")
    probe = device.bf16_pays
    for name, pays in (("probed", probe), ("fp32", lambda: False)):
        device.bf16_pays = pays
        engine._ENGINES.clear()  # or the network would stay ready in the precision of before
        for image in images:
            result = segment(io.read_scan(image), SegmentSettings(device="cpu"), Control())
            folder = out / name / image.parent.name
            folder.mkdir(parents=True, exist_ok=True)
            stem = image.name.removesuffix(".nii.gz")
            io.write_segmentation(result.segmentation, folder / f"{stem}_seg.nii.gz")
            precision = result.segmentation.provenance.get("precision")
            print(f"{name} {precision}: {image.parent.name}/{stem}, {result.summary}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
