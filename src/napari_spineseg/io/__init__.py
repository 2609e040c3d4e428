"""Disk <-> Scan and Segmentation. Loads no torch; pydicom and tifffile only when they are needed."""

from napari_spineseg.io.identity import checksums_of, sha256_of, stem_of
from napari_spineseg.io.read import read_scan, read_segmentation
from napari_spineseg.io.write import write_scan, write_segmentation

__all__ = [
    "checksums_of",
    "read_scan",
    "read_segmentation",
    "sha256_of",
    "stem_of",
    "write_scan",
    "write_segmentation",
]
