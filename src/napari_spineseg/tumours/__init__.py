"""Finding tumours: what a tumour model marks, as numbered findings with a place, a size and a confidence."""

from napari_spineseg.tumours.findings import Finding, FindSettings, find

__all__ = ["FindSettings", "Finding", "find"]
