"""What a run may be told, and the `Control`s through which its stages hear of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from napari_spineseg.learning.run.events import Event, ProgressEvent
from napari_spineseg.progress import Control, Progress

Order = Literal["", "stop keep", "stop discard", "leave"]
"""What was asked for: nothing yet, to stop and keep the best, to stop and keep nothing, or to leave
everything as it is for another time."""

Say = Callable[[Event], None]


class Left(Exception):
    """The run was left where it is, to be resumed."""


def waiting_control(say: Say, order: Callable[[], Order]) -> Control:
    """For stages in which there is nothing to keep yet, or nothing left to stop."""

    def told(progress: Progress) -> None:
        say(ProgressEvent(stage=progress.stage, done=progress.done, total=progress.total))

    return Control(told, lambda: order() in ("stop discard", "leave"))


def training_control(say: Say, order: Callable[[], Order], first: int, afterwards: float) -> Control:
    """For the training itself.

    Parameters
    ----------
    first
        The step it begins with, which is not 0 after a resume.
    afterwards
        Seconds that judging will take.
    """
    started = time.monotonic()

    def told(progress: Progress) -> None:
        done = progress.done - first
        a_step = (time.monotonic() - started) / done if done > 0 else None
        left = None if a_step is None else a_step * (progress.total - progress.done) + afterwards
        say(
            ProgressEvent(
                stage=progress.stage,
                done=progress.done,
                total=progress.total,
                seconds_left=None if left is None else round(left, 1),
            )
        )

    return Control(told, lambda: order() != "")
