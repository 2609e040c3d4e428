"""What can be chosen about a phantom: one settings class, used by code, scripts and tests alike."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from napari_spineseg.anatomy import FIRST_DISC_LABEL

PhantomSequence = Literal["T1", "T2", "STIR"]
_Millimetres = Annotated[float, Field(gt=0.2, le=20)]
_Extent = Annotated[float, Field(gt=5, le=600)]


class PhantomSettings(BaseModel):
    """Everything that decides how a phantom looks. Equal settings give equal voxels.

    Triples run along the axes of the sagittal view: slices to the right, rows downward, columns
    to the back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(0, ge=0, title="Seed", description="Which person: size, posture, texture and noise.")
    sequence: PhantomSequence = Field("T2", title="Sequence")
    lumbar_levels: Literal[4, 5, 6] = Field(5, title="Lumbar vertebrae")
    spacing_mm: tuple[_Millimetres, _Millimetres, _Millimetres] = Field(
        (4.0, 0.6, 0.6), title="Spacing", description="Slice, row and column distance in mm."
    )
    field_of_view_mm: tuple[_Extent, _Extent, _Extent] = Field(
        (68.0, 268.8, 268.8),
        title="Field of view",
        description="Extent across slices, rows and columns in mm.",
    )
    shift_mm: tuple[float, float, float] = Field(
        (0.0, 0.0, 0.0),
        title="Shift",
        description="Moves the field of view to the right, downward and to the back, in mm.",
    )
    scoliosis_deg: float = Field(0.0, ge=-60, le=60, title="Scoliosis", description="Cobb angle in degrees.")
    slip_mm: float = Field(0.0, ge=-12, le=12, title="Slip", description="Forward slip in mm.")
    slip_disc: int = Field(
        FIRST_DISC_LABEL + 1, ge=FIRST_DISC_LABEL, le=FIRST_DISC_LABEL + 8, title="Slip at disc"
    )
    degenerate_discs: tuple[int, ...] | None = Field(
        None,
        title="Degenerate discs",
        description="Labels (201 = lowest) of thin, dark, bulging discs; none given: drawn by the seed.",
    )
    noise: float = Field(
        0.012, ge=0, le=0.3, title="Noise", description="Standard deviation; 1 is bright CSF."
    )
    blur_mm: float = Field(0.35, ge=0, le=3, title="Blur", description="In-plane standard deviation in mm.")
    coil_falloff_mm: float = Field(
        95.0, ge=20, le=1000, title="Coil fall-off", description="Depth in mm at which the signal is halved."
    )
    saturation_band: bool = Field(
        True, title="Saturation band", description="Dark abdomen in front of the spine."
    )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(slices, rows, columns) that cover the field of view."""
        pairs = zip(self.field_of_view_mm, self.spacing_mm, strict=True)
        return tuple(max(1, round(extent / step)) for extent, step in pairs)
