"""What the table is made from; no torch is needed to ask."""

from pydantic import BaseModel, ConfigDict, Field


class MeasureSettings(BaseModel):
    """What the table is made from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field("tumour", title="Model", description="Tumour model to measure")
    seeds: int = Field(1, ge=1, le=20, title="Seeds", description="How often every held-out scan is painted")
    first_seed: int = Field(100, ge=0, title="First seed", description="Seeds below 100 served for choosing")
    batches: int = Field(12, ge=1, title="Batches", description="Batches of held-out patches")
    every: int = Field(
        1, ge=1, title="Every", description="Only every nth held-out volume, to be done sooner"
    )
    held_out_forms: bool = Field(
        True,
        title="Held-out outlines",
        description="Tumours of outlines that no model was trained on",
        json_schema_extra={"flag": "--held-out-forms/--no-held-out-forms"},
    )
    device: str = Field("cpu", title="Device", description="cpu or cuda")
