"""Edit tools: one idea a file, labels in, an `Edit` out. No tool changes the labels it is given.

Arrays are (slices, rows, columns) in any orientation; spacing is mm along the same axes. Tools
think in millimetres, so that thick slices do not make them reach too far.
"""

from napari_spineseg.corrections.tools.column import insert_level, relabel_column, remove_level
from napari_spineseg.corrections.tools.copy_slice import copy_from_slice
from napari_spineseg.corrections.tools.fill_between import fill_between
from napari_spineseg.corrections.tools.grow import grow, shrink
from napari_spineseg.corrections.tools.holes import fill_holes
from napari_spineseg.corrections.tools.merge import merge
from napari_spineseg.corrections.tools.pieces import erase_islands, erase_structure, keep_largest
from napari_spineseg.corrections.tools.smooth import smooth
from napari_spineseg.corrections.tools.snap import snap_to_edge
from napari_spineseg.corrections.tools.split import split_at_line, split_between

__all__ = [
    "copy_from_slice",
    "erase_islands",
    "erase_structure",
    "fill_between",
    "fill_holes",
    "grow",
    "insert_level",
    "keep_largest",
    "merge",
    "relabel_column",
    "remove_level",
    "shrink",
    "smooth",
    "snap_to_edge",
    "split_at_line",
    "split_between",
]
