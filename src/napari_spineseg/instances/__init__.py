"""Structures to single vertebrae and discs with their levels (SPIDER numbering)."""

from napari_spineseg.instances.label import LevelResult, label_levels
from napari_spineseg.instances.numbering import Alternative

__all__ = ["Alternative", "LevelResult", "label_levels"]
