"""What a reproduction of the published table depends on."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Protocol = Literal["slices", "patients"]
NetworkName = Literal["published", "default", "bundled"]


class ReproduceSettings(BaseModel):
    """One reproduction. Values without a remark are the published ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocol: Protocol = Field(
        "slices",
        title="Protocol",
        description="slices: the paper's, a random tenth of the slices is test and also chooses the "
        "checkpoint; patients: whole patients are test, others choose",
    )
    folds: int = Field(
        1, ge=1, le=20, title="Folds", description="Test parts to train for, one after the other"
    )
    epochs: int = Field(100, ge=1, le=1000, title="Epochs", description="Times that every slice is seen")
    network: Literal["both", "published", "default", "bundled"] = Field(
        "both",
        title="Network",
        description="published: modified U-Net; default: SpineNet on the same slices; bundled: the installed "
        "default model as it is, by its own recipe, if it knows none of the tested patients",
    )
    sequence: Literal["t1", "t2", "t2_SPACE", "all"] = Field(
        "t2_SPACE", title="Sequence", description="Which scans of SPIDER; those that do not say are taken too"
    )
    seed: int = Field(0, ge=0, title="Seed", description="Draws the split, the first weights and the batches")
    batch: int = Field(8, ge=1, le=256, title="Batch", description="Slices a step")
    learning_rate: float = Field(
        1e-3, gt=0, title="Learning rate", description="Adam's first; not printed, our interpretation"
    )
    minutes: float = Field(
        0.0, ge=0, title="Minutes", description="Longest training of each network; 0 sets no limit"
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", title="Device", description="Where networks train; auto takes a GPU where there is one"
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", title="Precision", description="auto probes whether bf16 is faster here"
    )

    @property
    def networks(self) -> tuple[NetworkName, ...]:
        """The networks to train, in order."""
        return ("published", "default") if self.network == "both" else (self.network,)


# The published schedule as far as it is printed: "reduced on plateau", "early stopping". The counts
# are our interpretation.
PLATEAU_EPOCHS, PLATEAU_FACTOR, LEAST_RATE = 5, 0.5, 1e-6
EARLY_STOP_EPOCHS = 15
# Our recipe for SpineNet needs fewer passes over the same slices, since each crop is drawn anew.
DEFAULT_PIXEL_MM = 0.5
