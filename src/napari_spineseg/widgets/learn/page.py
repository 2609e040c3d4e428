"""The page *Learn*: from corrections to a model that has passed the gate, or has not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QCheckBox, QFileDialog, QHBoxLayout, QPushButton, QWidget

from napari_spineseg.corrections.store import default_store
from napari_spineseg.errors import SpineSegError
from napari_spineseg.learning.run.client import LearningRun
from napari_spineseg.learning.run.events import (
    ErrorEvent,
    Event,
    FiguresEvent,
    NoteEvent,
    PlanEvent,
    PreviewEvent,
    ProgressEvent,
    StateEvent,
    VerdictEvent,
)
from napari_spineseg.learning.run.outlook import Outlook, outlook
from napari_spineseg.learning.settings import LearnSettings
from napari_spineseg.widgets.learn.curves import LearnCurves
from napari_spineseg.widgets.learn.follow import RunFollower, run_to_attach, run_to_resume, run_to_tell
from napari_spineseg.widgets.learn.pictures import LearnPictures
from napari_spineseg.widgets.learn.running import RunningPanel
from napari_spineseg.widgets.learn.verdict import VerdictPanel
from napari_spineseg.widgets.learn.versions import VersionPanel
from napari_spineseg.widgets.learn.words import (
    headline_of,
    plan_in_words,
    refused_in_words,
    scans_in_words,
)
from napari_spineseg.widgets.lifetime import while_alive
from napari_spineseg.widgets.network_choices import DEVICES, parent_choices
from napari_spineseg.widgets.page import Page
from napari_spineseg.widgets.parts import Words, bring_into_sight, row_label, tooltip
from napari_spineseg.widgets.path_line import PathLine
from napari_spineseg.widgets.settings_form import SettingsForm, settings_from
from napari_spineseg.widgets.worker import report

if TYPE_CHECKING:
    from napari.viewer import Viewer

_AS_NEEDED, _OUTLIVES = "As needed", "Go on when napari is closed"
_ADVANCED = ("steps", "batch", "learning_rate", "device", "promote", "seed")


class LearnPage(Page):
    """What was corrected, one button, curves while it trains, and what the gate says."""

    title = "Learn"
    verb = "Learn"

    def __init__(self, napari_viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, parent)
        self.seen: Outlook | None = None
        self.follower = RunFollower(self)
        # When Qt has laid out the card: only then is its place known.
        self._in_sight = QTimer(self, singleShot=True, interval=0)
        self._in_sight.timeout.connect(self._show_card)
        self._add_inputs()
        self._add_settings()
        self._add_running()
        self._add_result()
        self._connect()
        self.refresh()
        self.look()
        self._attach()

    def has_input(self) -> bool:
        """Corrections are on disk: no scan has to be open."""
        return True

    @property
    def run(self) -> LearningRun | None:
        """The run that is shown, if it goes on."""
        return self.follower.run if self.follower.active else None

    def look(self) -> None:
        """Read the store again, and say what would be trained."""
        self.seen = outlook(Path(self.store.text()).expanduser())
        self.outlook_words.say(self.seen.sentence)
        self.scans.say(scans_in_words(self.seen))
        self.run_bar.button.setEnabled(self.seen.ready)

    def showEvent(self, event: QShowEvent) -> None:
        """Something may have been corrected, or learnt elsewhere, since the page was last seen."""
        super().showEvent(event)
        self.main_form.refresh_choices("model")
        self.versions.refresh()
        self.look()

    def learn(self) -> None:
        """Start a run on what the page says."""
        if self.follower.active:
            return
        try:
            settings = settings_from(LearnSettings, self.main_form, self.advanced_form)
            settings = settings.model_copy(update={"corrections": Path(self.store.text()).expanduser()})
            run = LearningRun.start(settings, outlives=self.outlives.isChecked())
        except SpineSegError as error:
            self.card.say_error("Not started", report(error))
            return
        self._follow(run, self.outlives.isChecked())

    def _add_inputs(self) -> None:
        self.store = PathLine(str(default_store()))
        self.store.setObjectName("store")
        self.store.setAccessibleName("Corrections")
        self.browse = QPushButton("Browse…")
        row = QHBoxLayout()
        row.addWidget(self.store, stretch=1)
        row.addWidget(self.browse)
        self.inputs.addRow(row_label("Corrections", self.store), row)
        self.outlook_words, self.scans = Words(""), Words("", "muted")
        for words in (self.outlook_words, self.scans):
            self.inputs.addRow(words)

    def _add_settings(self) -> None:
        self.main_form = SettingsForm(LearnSettings, ("model", "name"), {"model": parent_choices})
        self.main_form.editor("name").setPlaceholderText("next version of the model")
        self.advanced_form = SettingsForm(LearnSettings, _ADVANCED, {"device": lambda: DEVICES})
        self.advanced_form.editor("steps").setSpecialValueText(_AS_NEEDED)
        self.outlives = QCheckBox(_OUTLIVES)
        self.outlives.setObjectName("outlives")
        self.outlives.setToolTip(tooltip("Otherwise it stops where it is, and can be resumed"))
        self.settings.addWidget(self.main_form)
        self.settings.addWidget(self.outlives)
        self.advanced.addWidget(self.advanced_form)

    def _add_running(self) -> None:
        self.running = RunningPanel()
        self.curves = LearnCurves(self.session.viewer.theme)
        self.plan = Words("", "muted")
        below = self.run_bar.parentWidget().layout()
        place = below.indexOf(self.run_bar) + 1
        for number, part in enumerate((self.running, self.plan, self.curves)):
            below.insertWidget(place + number, part)

    def _add_result(self) -> None:
        self.verdict = VerdictPanel(self.session)
        self.pictures = LearnPictures()
        self.card.body.addWidget(self.verdict)
        self.versions = VersionPanel(self.session)
        below = self.run_bar.parentWidget().layout()
        for part in (self.pictures, Words("Models", "title"), self.versions):
            below.addWidget(part)

    def _connect(self) -> None:
        self.run_bar.started.connect(self.learn)
        self.browse.clicked.connect(self._browse)
        self.store.editingFinished.connect(self.look)
        self.running.stopped.connect(lambda how: self.run.stop(how) if self.run else None)
        self.running.ended_at_once.connect(lambda: self.run.end_at_once() if self.run else None)
        self.running.resumed.connect(self._resume)
        self.running.discarded.connect(self._discard)
        self.outlives.toggled.connect(self._on_outlives)
        self.follower.said.connect(self._on_said)
        self.follower.ended.connect(self._on_ended)
        self.verdict.failed.connect(self.card.say_error)
        self.verdict.used.connect(self._models_changed)
        self.versions.changed.connect(self._models_changed)
        while_alive(self, self.session.corrections_changed, self._on_corrected)

    def _attach(self) -> None:
        """Go on showing a run that lives, tell of one that ended unseen, or offer an interrupted one."""
        run = run_to_attach()
        if run is not None:
            self._follow(run, lives=True)  # this window does not end it
        elif (run := run_to_tell()) is not None:
            self._follow(run)
        else:
            self._offer_what_was_left()

    def _offer_what_was_left(self) -> None:
        """Another run that was interrupted; its offer gave way to the run that is over now."""
        if (run := run_to_resume()) is not None:
            self.running.offer(run)

    def _show_card(self) -> None:
        if self.card.isVisible():
            bring_into_sight(self.card)

    def _follow(self, run: LearningRun, lives: bool = False) -> None:
        self.outlives.setChecked(lives)
        self.outlives.setDisabled(lives)
        self.card.clear()
        self.verdict.clear()
        self.curves.clear()
        self.pictures.clear()
        self.plan.say("")
        self.hint.say("")
        self.run_bar.hide()
        self.running.begin()
        self.follower.follow(run)

    def _on_outlives(self, on: bool) -> None:
        if on and self.run is not None:
            self.run.let_live()
            self.outlives.setEnabled(False)

    def _on_said(self, event: Event) -> None:
        if isinstance(event, ProgressEvent):
            self.running.show_progress(event)
        elif isinstance(event, StateEvent):
            self.running.say(event.sentence or event.phase.capitalize())
        elif isinstance(event, PlanEvent):
            self.plan.say("\n".join([plan_in_words(event), *refused_in_words(event)]))
        elif isinstance(event, FiguresEvent):
            self.curves.add(event)
        elif isinstance(event, PreviewEvent):
            self.pictures.add(event, self.follower.run.folder.path)
        elif isinstance(event, NoteEvent):
            self.hint.say(event.sentence)
        elif isinstance(event, VerdictEvent):
            self._show_verdict(event)
        elif isinstance(event, ErrorEvent):
            self.card.say_error("Not learnt", event.sentence)

    def _show_verdict(self, verdict: VerdictEvent) -> None:
        seconds = f"{verdict.steps} steps in {verdict.seconds:.0f} s"
        self.card.say(headline_of(verdict), verdict.reason, footnote=f"{verdict.key} · {seconds}")
        self.verdict.show_verdict(verdict)

    def _on_ended(self, how: str) -> None:
        run, discarded = self.follower.run, self.running.stopping == "discard"
        self.running.end()
        self.run_bar.show()
        self.outlives.setEnabled(True)
        if how == "interrupted" and discarded:
            run.stop("discard")  # it was ended before it could do that itself
            how = "stopped"
        if how == "stopped" and self.verdict.of is None:
            self.card.say("Stopped", _last_word(run))
        if how == "interrupted":
            self.running.offer(run)
        else:
            run.folder.mark_seen()
            self._offer_what_was_left()
        self._models_changed()
        self.look()
        # Below the curves nobody would know of it.
        self._in_sight.start()

    def _resume(self, run: LearningRun) -> None:
        try:
            run.resume(outlives=self.outlives.isChecked())
        except SpineSegError as error:
            self.card.say_error("Not resumed", report(error))
            return
        self._follow(LearningRun(run.folder) if run.pid is None else run, self.outlives.isChecked())

    def _discard(self, run: LearningRun) -> None:
        run.stop("discard")
        run.folder.mark_seen()
        self.running.end()

    def _on_corrected(self) -> None:
        """A version may still have been on its way to the disk when the page came up."""
        if self.isVisible():
            self.look()

    def _models_changed(self) -> None:
        self.versions.refresh()
        self.main_form.refresh_choices("model")
        self.verdict.show_use()

    def _browse(self) -> None:
        dialog = QFileDialog(self, "Folder of corrections", self.store.text())
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(lambda name: (self.store.setText(name), self.look()))
        dialog.open()

    def _restyle(self, theme: str) -> None:
        super()._restyle(theme)
        if hasattr(self, "curves"):
            self.curves.restyle(theme)


def _last_word(run: LearningRun) -> str:
    """What a run said as it stopped: whether anything was made, and whether training had begun."""
    state = run.folder.state
    return state.sentence if state is not None and state.phase == "stopped" else "No model was made."
