"""One run from corrections to a version in the registry; every stage can be resumed after a kill.

What a stage made lies whole in the run's folder before the next begins: `prepared/lessons.json`, the
trainer's state, the best weights so far, the candidate.
"""

from __future__ import annotations

from collections.abc import Callable

from napari_spineseg.errors import Stopped
from napari_spineseg.learning.run.events import Phase, StateEvent, VerdictEvent
from napari_spineseg.learning.run.folder import RunFolder
from napari_spineseg.learning.run.orders import Left, Order, Say, waiting_control
from napari_spineseg.learning.run.timetable import Timetable
from napari_spineseg.learning.stages.judging import judge_candidate
from napari_spineseg.learning.stages.preparing import prepare
from napari_spineseg.learning.stages.training import Training


class Session:
    """One run.

    Parameters
    ----------
    folder
        The run's folder.
    say
        Gets every event.
    order
        Asked at every step.
    """

    def __init__(self, folder: RunFolder, say: Say, order: Callable[[], Order]) -> None:
        self._folder, self._say, self._order = folder, say, order
        self._clock = Timetable(folder.path / "seconds.json")

    def run(self) -> VerdictEvent | None:
        """Do all of it. Returns the verdict; None if the person stopped it and kept nothing.

        Raises
        ------
        SpineSegError
            If there is nothing to learn from, or the model cannot learn.
        Left
            If it was left, to be resumed.
        """
        try:
            return self._run()
        except Stopped:
            if self._order() == "stop discard":
                self._enter("stopped", "Stopped and discarded; no model was made.")
                return None
            raise Left from None
        finally:
            self._clock.save()

    def _run(self) -> VerdictEvent:
        self._enter("preparing", "Reading the corrections.")
        course = prepare(self._folder, waiting_control(self._say, self._order))
        self._say(course.plan())
        self._enter("training", f"Training for at most {course.steps} steps.")
        best = Training(course, self._folder.path / "train", self._say, self._order).run()
        self._enter("judging", "Comparing the new model with its parent.")
        verdict = judge_candidate(course, best, self._folder, self._clock, self._say)
        self._enter("finished", verdict.reason)
        return verdict

    def _enter(self, phase: Phase, sentence: str) -> None:
        self._say(StateEvent(phase=phase, sentence=sentence))
