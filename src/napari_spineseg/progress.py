"""How a long job tells where it is and learns that it should stop.

A job receives one `Control` and calls `control.step(...)` at every tile, slice or epoch. The
core never learns whether a terminal, a Qt worker or a test is listening.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from napari_spineseg.errors import Stopped


@dataclass(frozen=True)
class Progress:
    """A stage of a job, and how much of it is done."""

    stage: str
    done: int
    total: int

    @property
    def fraction(self) -> float:
        """Share of the stage that is done, 0 to 1."""
        return self.done / self.total if self.total else 0.0


class Control:
    """The one line between a running job and whoever started it.

    Parameters
    ----------
    on_progress
        Called from the thread that runs the job, at every step.
    should_stop
        Asked at every step; once it answers true the step raises `Stopped`.
    on_warning
        Called with a sentence that a person should read now, not only with the result.

    Examples
    --------
    >>> seen = []
    >>> Control(seen.append).step("Segmenting", 1, 3)
    >>> seen[0].fraction
    0.3333333333333333
    """

    def __init__(
        self,
        on_progress: Callable[[Progress], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        on_warning: Callable[[str], None] | None = None,
    ) -> None:
        self._on_progress = on_progress
        self._should_stop = should_stop
        self._on_warning = on_warning

    def check(self) -> None:
        """Raise `Stopped` if a person asked to stop."""
        if self._should_stop is not None and self._should_stop():
            raise Stopped("Stopped. Nothing was changed.")

    def warn(self, sentence: str) -> None:
        """Say at once what the result will say as well."""
        if self._on_warning is not None:
            self._on_warning(sentence)

    def step(self, stage: str, done: int, total: int) -> None:
        """Report that `done` of `total` units of `stage` are finished, then `check`."""
        if self._on_progress is not None:
            self._on_progress(Progress(stage, done, total))
        self.check()
