"""Structures to single vertebrae and discs with their levels (SPIDER numbering)."""

from napari_spineseg.instances.label import Alternative, LevelResult, label_levels

__all__ = ["Alternative", "LevelResult", "label_levels"]
