"""Segmentations against reference labels: per structure, per level, per patient."""

from napari_spineseg.evaluation.compare import compare, read_labels
from napari_spineseg.evaluation.pairs import Pair, find_pairs, left_over, scan_name
from napari_spineseg.evaluation.report import CaseReport
from napari_spineseg.evaluation.summary import annotated, summarise

__all__ = [
    "CaseReport",
    "Pair",
    "annotated",
    "compare",
    "find_pairs",
    "left_over",
    "read_labels",
    "scan_name",
    "summarise",
]
