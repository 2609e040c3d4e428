"""One run from corrections to a version in the registry; every stage can be resumed after a kill.

What a stage made lies whole in the run's folder before the next begins: `prepared/lessons.json`, the
trainer's state, the best weights so far, the candidate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from napari_spineseg.core.checkpoint import ModelCard, load_model, save_model
from napari_spineseg.core.device import choose_device, precision_name, training_precision
from napari_spineseg.core.engine import is_out_of_memory
from napari_spineseg.core.train import Trainer
from napari_spineseg.datasets.crops import CropSampler
from napari_spineseg.datasets.prepared import PreparedVolume
from napari_spineseg.errors import SpineSegError, Stopped
from napari_spineseg.learning import finetune
from napari_spineseg.learning.best import Best
from napari_spineseg.learning.blend import as_far_as_allowed
from napari_spineseg.learning.events import (
    Change,
    Event,
    FiguresEvent,
    NoteEvent,
    PlanEvent,
    StateEvent,
    VerdictEvent,
)
from napari_spineseg.learning.exam import Exam
from napari_spineseg.learning.folder import RunFolder
from napari_spineseg.learning.gate import judge
from napari_spineseg.learning.guard import GuardScan, guard_scans
from napari_spineseg.learning.orders import Left, Order, training_control, waiting_control
from napari_spineseg.learning.reading import Reader, class_table
from napari_spineseg.learning.register import (
    candidate_card,
    data_record,
    figures_record,
    learnt_before,
    pinned_parent,
    register,
    training_record,
)
from napari_spineseg.learning.replay import replay_maps
from napari_spineseg.learning.style_search import FoundStyle, StyleSearch
from napari_spineseg.learning.timetable import Timetable, steps_for
from napari_spineseg.learning.tumour.replay import (
    TumourReplay,
    looks_for_tumours_alone,
    square,
    tumour_guard,
)
from napari_spineseg.learning.workbook import Workbook, open_workbook


class _Enough(Exception):
    """Training need not go on."""


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

    def __init__(self, folder: RunFolder, say: Callable[[Event], None], order: Callable[[], Order]) -> None:
        self.folder, self._say, self._order = folder, say, order
        self.settings = folder.settings
        self.clock = Timetable(folder.path / "seconds.json")

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
                self._say(StateEvent(phase="stopped", sentence="Stopped and discarded; no model was made."))
                return None
            raise Left from None
        finally:
            self.clock.save()

    def _run(self) -> VerdictEvent:
        self._say(StateEvent(phase="preparing", sentence="Reading the corrections."))
        self._load()
        control = self._waiting = waiting_control(self._say, self._order)
        book = open_workbook(
            self.folder.path, self.settings, self.card, learnt_before(self.entry), self._parent_sees, control
        )
        guard = self._find_style(book)
        self._exam = Exam(book, self.card, self.reader, guard, control)
        self.steps = self.settings.steps or steps_for(len(book.learnt))
        self._say(self._plan(book))
        self._say(StateEvent(phase="training", sentence=f"Training for at most {self.steps} steps."))
        self._train(book)
        self._say(StateEvent(phase="judging", sentence="Comparing the new model with its parent."))
        return self._judge(book)

    def _load(self) -> None:
        self.entry = pinned_parent(self.folder, self.settings.model)
        self.model = load_model(self.entry.weights)
        self.card = self.model.card
        if self.card.input.size_px is not None or self.card.input.normalise != "zscore":
            raise SpineSegError(
                f"{self.entry.key} was trained on slices squeezed to one size and cannot learn here; start "
                "from another model."
            )
        self.device = choose_device(self.settings.device)
        self.dtype = training_precision(self.device)
        self.reader = self._reader(self.model.network)

    def _reader(self, network: nn.Module) -> Reader:
        return Reader(network, self.card.input, self.device, self.dtype)

    def _parent_sees(self, volume: PreparedVolume, slices: Sequence[int]) -> np.ndarray:
        return self.reader.all_classes(volume, self._unless_stopped(slices))

    def _unless_stopped(self, slices: Iterable[int]) -> Iterator[int]:
        for index in slices:
            self._waiting.check()
            yield index

    def _find_style(self, book: Workbook) -> list[GuardScan]:
        """See whether the corrections follow a style of their own; returns the guard set to judge by."""
        table = class_table(self.card)
        self._style: FoundStyle | None = None
        if looks_for_tumours_alone(table):
            return tumour_guard(self.card.input)
        kept = self.folder.path / "prepared" / "style.safetensors"
        search = StyleSearch(book, self.card, self._parent_sees, kept)
        self._style, guard = search.find(guard_scans(self.card.input, table))
        return guard

    def _plan(self, book: Workbook) -> PlanEvent:
        return PlanEvent(
            parent=self.entry.key,
            name=self._name(),
            steps=self.steps,
            precision=precision_name(self.dtype),
            device=self.device.type,
            scans=book.plans(),
            split=book.split.sentence,
            replay=" ".join([book.replay_sentence(), *self._of_style()]),
            figures_before=self._exam.parent_held.scores(),
            guard_before=self._exam.parent_guard.scores(),
        )

    def _of_style(self) -> list[str]:
        """What is to be said of the corrections' style, if they have one of their own."""
        return [self._style.sentence] if self._style is not None else []

    def _name(self) -> str:
        return self.settings.name or self.entry.name

    def _train(self, book: Workbook) -> None:
        folder = self.folder.path / "train"
        self._best = Best(folder, self.card)
        if self._best.finished:
            return
        self._loss = finetune.TeachingLoss(self.settings.pull)
        shrink = 1
        while True:
            try:
                self._train_with(book, shrink)
                break
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or shrink >= 4:
                    raise
            shrink *= 2
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            self._say(NoteEvent(sentence=f"Memory ran out; going on with patches of 1/{shrink} the side."))
        self._best.finish()

    def _train_with(self, book: Workbook, shrink: int) -> None:
        trainer = finetune.build_trainer(
            self.model.network,
            self._sampler(book, shrink).batch,
            self._loss,
            self.settings,
            self.steps,
            self._every(),
            self.folder.path / "train",
            lambda averaged: self._check(trainer, averaged),
            self.device,
        )
        if trainer.step:
            self._say(NoteEvent(sentence=f"Going on at step {trainer.step}."))
        elif not self._best.step:
            self._first_figures()
        try:
            trainer.run(training_control(self._say, self._order, trainer.step, self._exam.seconds))
        except _Enough:
            pass
        except Stopped:
            if self._order() != "stop keep":
                raise
            self._keep_what_there_is(trainer)

    def _sampler(self, book: Workbook, shrink: int) -> finetune.TeachingSampler:
        spec, seed, table = self.card.input, self.settings.seed, class_table(self.card)
        crops = finetune.crop_settings(spec, shrink)
        replay: finetune.Replay
        if looks_for_tumours_alone(table):
            crops, replay = square(crops, spec, shrink), TumourReplay(spec, seed + 1, shrink)
        else:
            replay = CropSampler(
                replay_maps(spec, table), finetune.crop_settings(spec, shrink, replay=True), seed + 1
            )
        lessons = finetune.LessonSampler(book.drawn(), book.split.learn, crops, seed)
        style, pixel_mm = self._style and self._style.style, spec.spacing_mm
        teacher = finetune.Teacher(self.reader.engine, style, pixel_mm)
        return finetune.TeachingSampler(lessons, replay, self.settings.batch, teacher)

    def _every(self) -> int:
        """Steps between two points of the curves."""
        return max(5, min(20, self.steps // 4))

    def _first_figures(self) -> None:
        held, guard = self._exam.quick(self.reader)
        self._say(FiguresEvent(step=0, steps=self.steps, held_back=held, guard=guard))
        self._best.parent(guard)

    def _check(self, trainer: Trainer, averaged: nn.Module) -> dict[str, Any]:
        held, guard = self._exam.quick(self._reader(averaged))
        best = self._best.offer(trainer.step, averaged, held, guard)
        self._say(
            FiguresEvent(
                step=trainer.step,
                steps=self.steps,
                loss=self._loss.since_last(),
                held_back=held,
                guard=guard,
                best=best,
            )
        )
        if self._best.worn_out(trainer.step, self.steps):
            raise _Enough
        return {"held_back": held, "guard": guard}

    def _keep_what_there_is(self, trainer: Trainer) -> None:
        """Stopped before there was anything to compare: what was trained so far is the best there is."""
        if not self._best.step:
            self._best.take(trainer.step, trainer.averaged)

    def _judge(self, book: Workbook) -> VerdictEvent:
        network, share, on_guard = self._candidate()
        held_back = self._exam.held_back(self._reader(network))
        judgement = judge(held_back, on_guard, book.split.honest)
        reason = " ".join([judgement.reason, *self._of_style()])
        for preview in self._exam.previews(self.folder.path):
            self._say(preview)
        seconds = self.clock.seconds()
        weights = self.folder.path / "candidate.safetensors"
        card = self._candidate_card(book, seconds, share)
        figures = figures_record(held_back, on_guard, judgement.promoted, reason)
        save_model(network, card.model_copy(update={"figures": figures}), weights)
        entry, in_use = register(
            self._name(), weights, self.folder.id, self.entry, judgement.promoted and self.settings.promote
        )
        verdict = VerdictEvent(
            promoted=judgement.promoted,
            in_use=in_use,
            key=entry.key,
            parent=self.entry.key,
            reason=reason,
            held_back=held_back,
            guard=on_guard,
            steps=self._best.step,
            seconds=round(seconds, 1),
        )
        self._say(verdict)
        self._say(StateEvent(phase="finished", sentence=reason))
        return verdict

    def _candidate(self) -> tuple[nn.Module, float, dict[str, Change]]:
        """The best network, taken back towards its parent where it forgot; its share; its guard."""
        trained = self._best.load().network
        network, share, on_guard = as_far_as_allowed(
            self.model.network, trained, lambda network: self._exam.guard(self._reader(network))
        )
        if share < 1:
            self._say(
                NoteEvent(
                    sentence=f"It had lost too much on the guard scans, and goes {share:.0%} of the way from "
                    "its parent now."
                )
            )
        return network, share, on_guard

    def _candidate_card(self, book: Workbook, seconds: float, share: float) -> ModelCard:
        training = training_record(
            self.folder.id,
            self.settings,
            self._best.step,
            seconds,
            self.device.type,
            precision_name(self.dtype),
        ) | {"share": share}
        if self._style is not None:
            training["style"] = self._style.record()
        data = data_record(self.entry.key, book.lessons, book.roles())
        return candidate_card(self.card, self.entry.key, self._name(), training, data)
