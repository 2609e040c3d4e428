"""The second stage of a run: steps from the parent's weights, with the best of them kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from napari_spineseg.core.engine import is_out_of_memory
from napari_spineseg.core.train import Trainer
from napari_spineseg.errors import Stopped
from napari_spineseg.learning.run.events import FiguresEvent, NoteEvent
from napari_spineseg.learning.run.orders import Order, Say, training_control
from napari_spineseg.learning.stages.best import Best
from napari_spineseg.learning.stages.finetune import TeachingLoss, build_trainer
from napari_spineseg.learning.stages.preparing import Course
from napari_spineseg.learning.stages.teaching import teaching_of

# Patches are not made smaller than this part of their side.
_MOST_SHRUNK = 4


class _Enough(Exception):
    """Training need not go on."""


class Training:
    """Trains what a course teaches; what a process before this one did is gone on from.

    Parameters
    ----------
    folder
        Where the trainer's state and the best weights are kept.
    """

    def __init__(self, course: Course, folder: Path, say: Say, order: Callable[[], Order]) -> None:
        self._course, self._folder, self._say, self._order = course, folder, say, order
        self._best = Best(folder, course.parent.card)
        self._loss = TeachingLoss(course.settings.pull, len(course.book.split.learn))

    def run(self) -> Best:
        """Train to the end, or until *Stop and keep best*; returns the best there is.

        Raises
        ------
        Stopped
            If it was stopped otherwise.
        """
        if not self._best.finished:
            self._train_in_the_memory_there_is()
            self._best.finish()
        return self._best

    def _train_in_the_memory_there_is(self) -> None:
        shrink = 1
        while True:
            try:
                return self._train(shrink)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or shrink >= _MOST_SHRUNK:
                    raise
            shrink *= 2
            if self._course.parent.device.type == "cuda":
                torch.cuda.empty_cache()
            self._say(NoteEvent(sentence=f"Memory ran out; going on with patches of 1/{shrink} the side."))

    def _train(self, shrink: int) -> None:
        trainer = self._trainer(shrink)
        if trainer.step:
            self._say(NoteEvent(sentence=f"Going on at step {trainer.step}."))
        elif not self._best.step:
            self._first_figures()
        try:
            trainer.run(training_control(self._say, self._order, trainer.step, self._course.exam.seconds))
        except _Enough:
            pass
        except Stopped:
            if self._order() != "stop keep":
                raise
            self._keep_what_there_is(trainer)

    def _trainer(self, shrink: int) -> Trainer:
        course = self._course
        trainer = build_trainer(
            course.parent.network,
            teaching_of(course, shrink).batch,
            self._loss,
            course.settings,
            course.steps,
            self._every(),
            self._folder,
            lambda averaged: self._check(trainer.step, averaged),
            course.parent.device,
        )
        return trainer

    def _every(self) -> int:
        """Steps between two points of the curves."""
        return max(5, min(20, self._course.steps // 4))

    def _first_figures(self) -> None:
        """The curves begin with what the parent scores."""
        held, guard = self._course.exam.quick(self._course.parent.reader)
        self._say(FiguresEvent(step=0, steps=self._course.steps, held_back=held, guard=guard))
        self._best.parent(guard)

    def _check(self, step: int, averaged: nn.Module) -> dict[str, Any]:
        """Score the weights of a step, and keep them if they are the best so far."""
        steps = self._course.steps
        held, guard = self._course.exam.quick(self._course.parent.reader_of(averaged))
        best, loss = self._best.offer(step, averaged, held, guard), self._loss.since_last()
        self._say(FiguresEvent(step=step, steps=steps, loss=loss, held_back=held, guard=guard, best=best))
        if self._best.worn_out(step, steps):
            raise _Enough
        return {"held_back": held, "guard": guard}

    def _keep_what_there_is(self, trainer: Trainer) -> None:
        """Stopped before there was anything to compare: what was trained so far is the best there is."""
        if not self._best.step:
            self._best.take(trainer.step, trainer.averaged)
