"""How to measure: the page's form, the command's options and the provenance come from here."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class MeasureSettings(BaseModel):
    """How to measure a segmentation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    band_mm: float = Field(
        8.0,
        ge=1,
        le=20,
        title="Midsagittal band (mm)",
        description="Heights and depths are taken in a band this wide around each body's middle; "
        "of thicker slices, in the one slice that is nearest",
    )
    report: bool = Field(
        True,
        title="Report",
        description="Also write a page with a picture and tables (HTML) beside the figures",
        json_schema_extra={"flag": "--report/--no-report"},
    )
