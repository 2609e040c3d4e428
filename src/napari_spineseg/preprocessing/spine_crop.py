"""Crop to the spine: a quick pass of a model says where it is."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from napari_spineseg.preprocessing.boxes import box_of, cropped, grown
from napari_spineseg.preprocessing.step import GeometricStep, Target, Tools
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan


class CropToSpine(GeometricStep):
    """Keep the spine and a margin around it."""

    title: ClassVar[str] = "Crop to spine"
    help: ClassVar[str] = "Find the spine with a quick pass of the model and cut away the rest."
    quick: ClassVar[bool] = False

    step: Literal["crop-to-spine"] = "crop-to-spine"
    margin_mm: float = Field(
        20.0, ge=0, le=200, title="Margin (mm)", description="How much to keep around the spine on each side"
    )
    all_slices: bool = Field(
        True, title="Keep all slices", description="Cut rows and columns only, no slices at the sides"
    )

    def target(self, scan: Scan, tools: Tools, control: Control) -> Target:
        """The part with the spine; the whole scan, with a warning, where none was found."""
        turn = scan.grid.to_orientation()
        box = box_of(turn.apply(tools.find_spine(scan, control)))
        if box is None:
            return Target(scan.grid, warnings=("No spine was found, so nothing was cut away.",))
        box = grown(box, scan.grid, self.margin_mm)
        if self.all_slices:
            box = ((0, turn.grid.shape[0]), *box[1:])
        return Target(cropped(scan.grid, box))
