"""Crop: cut away what is not needed, by hand."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from napari_spineseg.errors import SettingsError
from napari_spineseg.grid import Grid
from napari_spineseg.preprocessing.boxes import SagittalBox, cropped
from napari_spineseg.preprocessing.step import GeometricStep, Target, Tools
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan


def _side(title: str, description: str) -> float:
    return Field(0.0, ge=0, le=500, title=f"{title} (mm)", description=f"How much to cut away {description}")


class Crop(GeometricStep):
    """Cut so many millimetres away on each side, rounded to whole voxels."""

    title: ClassVar[str] = "Crop"
    help: ClassVar[str] = "Cut away a margin on each side, in mm, or draw a box around what should stay."

    step: Literal["crop"] = "crop"
    head_mm: float = _side("Head", "at the top")
    feet_mm: float = _side("Feet", "at the bottom")
    front_mm: float = _side("Front", "at the belly")
    back_mm: float = _side("Back", "at the back")
    left_mm: float = _side("Left", "on the patient's left")
    right_mm: float = _side("Right", "on the patient's right")

    def target(self, scan: Scan, tools: Tools, control: Control) -> Target:
        """What is left.

        Raises
        ------
        SettingsError
            If nothing is.
        """
        return Target(cropped(scan.grid, self.box(scan.grid)))

    def box(self, grid: Grid) -> SagittalBox:
        """What stays, in voxels of the sagittal view."""
        view = grid.to_orientation().grid
        # The view's axes run to the right, downward and to the back.
        sides = ((self.left_mm, self.right_mm), (self.head_mm, self.feet_mm), (self.front_mm, self.back_mm))
        box = tuple(
            (round(first / mm), n - round(last / mm))
            for (first, last), n, mm in zip(sides, view.shape, view.spacing, strict=True)
        )
        if any(stop <= start for start, stop in box):
            size = " × ".join(f"{n * mm:.0f}" for n, mm in zip(view.shape, view.spacing, strict=True))
            raise SettingsError(f"Crop would leave nothing of the scan, which is {size} mm large; cut less.")
        return box

    @classmethod
    def around(cls, box: SagittalBox, grid: Grid) -> Crop:
        """The settings that leave `box`, for instance one that was drawn."""
        view = grid.to_orientation().grid
        (left, right), (head, feet), (front, back) = (
            (max(0, start) * mm, max(0, n - stop) * mm)
            for (start, stop), n, mm in zip(box, view.shape, view.spacing, strict=True)
        )
        names = ("left_mm", "right_mm", "head_mm", "feet_mm", "front_mm", "back_mm")
        values = (left, right, head, feet, front, back)
        return cls(**{name: round(value, 2) for name, value in zip(names, values, strict=True)})
