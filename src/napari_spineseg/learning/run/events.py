"""What a learning run says while it works: one JSON object a line, one class a kind.

The worker prints these lines on stdout and keeps them in the run's folder, so that whoever comes
later (a window that was opened again, a command) reads the same story from the start.
"""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

Phase = Literal["queued", "preparing", "training", "judging", "finished", "stopped", "failed"]
"""Where a run is. The last three are final. queued: another run has the device."""

FINAL: tuple[Phase, ...] = ("finished", "stopped", "failed")

Scores = dict[str, float | None]
"""Dice by structure title ("vertebra", "disc", "spinal canal"), and "mean"; None where it cannot be known."""


class _Event(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    at: float = Field(default_factory=time.time, description="seconds since 1970")

    def line(self) -> str:
        """One line of strict JSON, without the newline."""
        return self.model_dump_json()


class StateEvent(_Event):
    """The run entered a phase. `sentence` says it in words."""

    kind: Literal["state"] = "state"
    phase: Phase
    sentence: str = ""


class ScanPlan(BaseModel):
    """One corrected scan, and what becomes of it.

    `role`: "learn", "held back" (judged on, not learnt from), "both" (some slices each), or "refused",
    with the reason in `sentence`.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    scan: str
    sha256: str
    version: int
    role: Literal["learn", "held back", "both", "refused"]
    changed_voxels: int | None = None
    sentence: str = ""


class PlanEvent(_Event):
    """What will be trained. Comes once, before the first step (and again after a resume).

    `split` and `replay` are sentences. `figures_before` are the parent's scores on what is held back,
    `guard_before` those on the guard scans.
    """

    kind: Literal["plan"] = "plan"
    parent: str
    name: str
    steps: int
    precision: str = ""
    device: str = ""
    scans: list[ScanPlan]
    split: str
    replay: str
    figures_before: Scores = {}
    guard_before: Scores = {}


class ProgressEvent(_Event):
    """How far a stage is. `seconds_left` is for the whole run, None while it cannot be known."""

    kind: Literal["progress"] = "progress"
    stage: str
    done: int
    total: int
    seconds_left: float | None = None


class FiguresEvent(_Event):
    """A point of the curves. `loss` is the mean since the last one.

    `held_back` and `guard` are Dice by structure; `best` says whether the model at this step is the
    one that *Stop and keep best* would keep. Step 0 is the parent.
    """

    kind: Literal["figures"] = "figures"
    step: int
    steps: int
    loss: float | None = None
    held_back: Scores = {}
    guard: Scores = {}
    best: bool = False


class PreviewEvent(_Event):
    """Pictures of a held-back slice: `file` is an .npz with uint8 arrays (height, width).

    image (grey), truth, before, after (`Structure` numbers; truth is 255 where nobody labelled). `spacing_mm`
    is a pixel's size.
    """

    kind: Literal["preview"] = "preview"
    scan: str
    slice: int
    file: str
    spacing_mm: float
    before: float | None = None
    after: float | None = None


class Change(BaseModel):
    """A score before and after, and the change with the ends of its 95 % interval."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    before: float | None
    after: float | None
    change: float | None = None
    low: float | None = None
    high: float | None = None


class VerdictEvent(_Event):
    """The gate's word. `reason` is for a person, with figures in it.

    `key` is the new version in the registry, which is there in either case; `in_use` whether it is used
    from now on. Changes are by structure, and "mean".
    """

    kind: Literal["verdict"] = "verdict"
    promoted: bool
    in_use: bool
    key: str
    parent: str
    reason: str
    held_back: dict[str, Change]
    guard: dict[str, Change]
    steps: int
    seconds: float


class NoteEvent(_Event):
    """Something a person may want to know: patches were halved, a run was resumed."""

    kind: Literal["note"] = "note"
    sentence: str


class ErrorEvent(_Event):
    """Why a run failed. `bug` is a traceback where it was no fault that a person can mend."""

    kind: Literal["error"] = "error"
    sentence: str
    bug: str = ""


Event = Annotated[
    StateEvent
    | PlanEvent
    | ProgressEvent
    | FiguresEvent
    | PreviewEvent
    | VerdictEvent
    | NoteEvent
    | ErrorEvent,
    Field(discriminator="kind"),
]
_READER: TypeAdapter[Any] = TypeAdapter(Event)


def read_event(line: str | bytes) -> Event | None:
    """The event that a line says; None if it says none (cut short by a crash, of a later version).

    >>> read_event('{"kind": "note", "at": 0, "sentence": "hello"}').sentence
    'hello'
    >>> read_event('{"kind": "no') is None
    True
    """
    try:
        return _READER.validate_json(line)
    except ValidationError:
        return None
