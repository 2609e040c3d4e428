"""The page *Measure*: a segmentation in, heights, depths, angles, areas and volumes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Labels
from qtpy.QtCore import QTimer
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QWidget

from napari_spineseg.anatomy import colour_of
from napari_spineseg.errors import SpineSegError
from napari_spineseg.measurement import Figure, MeasureSettings
from napari_spineseg.measurement.table import shown
from napari_spineseg.widgets.correct.history import forget_closed, history_of
from napari_spineseg.widgets.drawn_on import DrawnOn
from napari_spineseg.widgets.lifetime import while_alive
from napari_spineseg.widgets.measure.going import Guide, place_of
from napari_spineseg.widgets.measure.lines import Line, MeasureLines
from napari_spineseg.widgets.measure.panel import FigurePanel
from napari_spineseg.widgets.measure.result import Kept, Measured, Watch
from napari_spineseg.widgets.measure.save import FigureSaver
from napari_spineseg.widgets.measure.words import headline_of, remark_of
from napari_spineseg.widgets.measure.work import about_scan, take, why_not, work
from napari_spineseg.widgets.page import Page
from napari_spineseg.widgets.parts import Words, row_label
from napari_spineseg.widgets.picker import LayerPicker, uncover
from napari_spineseg.widgets.session import layers_of
from napari_spineseg.widgets.settings_form import SettingsForm, settings_from
from napari_spineseg.widgets.style import give_role
from napari_spineseg.widgets.worker import Job, report

if TYPE_CHECKING:
    from napari.viewer import Viewer

LABELS_CHANGED = "The labels have changed since: measure again."
SETTINGS_CHANGED = "The settings have changed since: measure again."
_OLD = ", out of date"
_NO_LEVEL_COLOUR = "#ffffff"
# After a stroke, undo or redo, ms: who goes on is not disturbed by comparing.
_PAUSE = 300


class MeasurePage(Page):
    """Measures the chosen segmentation, shows the figures, and where each was taken."""

    title = "Measure"
    verb = "Measure"

    def __init__(self, napari_viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, parent)
        self._job: Job | None = None
        self._kept = Kept()
        self._shown: Measured | None = None
        self._old = False
        self._look = QTimer(self, singleShot=True)
        self.guide = Guide(self.session)
        self.lines = MeasureLines(self.session, self)
        self.about = Words("", "muted")
        self.advanced_form = SettingsForm(MeasureSettings, ("band_mm",))
        self.panel = FigurePanel()
        self.saver = FigureSaver(self.session)
        self._lay_out()
        self._connect()
        self.refresh()

    @property
    def job(self) -> Job | None:
        """The run that is going on, if one is."""
        return self._job

    @property
    def measured(self) -> Measured | None:
        """What the card shows."""
        return self._shown

    @property
    def out_of_date(self) -> str:
        """Why the figures that are shown are no longer those of the labels; empty where they are."""
        if self._shown is None:
            return ""
        if self._shown.watch.stale:
            return LABELS_CHANGED
        return "" if self._shown.result.settings == self.current_settings() else SETTINGS_CHANGED

    def current_settings(self) -> MeasureSettings:
        """What the form says."""
        return settings_from(MeasureSettings, self.advanced_form)

    def has_input(self) -> bool:
        """Whether there are labels, or a scan that labels could be made of."""
        return self.session.segmentation is not None or self.session.scan is not None

    def refresh(self) -> None:
        """Say what would be measured, and show what has been."""
        super().refresh()
        self._kept.keep_only(layers_of(self.session.viewer) if self.session.open else ())
        forget_closed(self.session)
        self._say_input()
        self._show_result()

    def measure(self) -> None:
        """Measure the chosen segmentation as it is now."""
        layer = self.session.segmentation
        if self._job is not None or layer is None or why_not(layer):
            return
        try:
            taken = take(layer, self.session.scan_of(layer), self.current_settings())
        except SpineSegError as error:
            self._on_failed(error)
            return
        # It says when a step is undone, which napari alone does not.
        history_of(self.session, layer)
        watch = Watch(layer, taken.labels.data)
        while_alive(self, watch.changed, self._show_result)
        while_alive(self, watch.touched, self._look_soon)
        job = self._job = Job(lambda control: work(taken, control), f"Measuring {layer.name}", owner=self)
        job.returned.connect(lambda result: self._on_result(Measured(layer, result, watch)))
        job.failed.connect(self._on_failed)
        job.stopped.connect(lambda: self.say_briefly("Stopped. Nothing was changed."))
        job.ended.connect(self._on_ended)
        self.run_bar.follow(job)
        job.start()

    def showEvent(self, event: QShowEvent) -> None:
        """Names may have changed elsewhere; the lines of the chosen figure come back."""
        super().showEvent(event)
        self.refresh()
        self._draw(self.panel.table.current)

    def hideEvent(self, event: QHideEvent) -> None:
        """The lines belong to the table: on another page they would be in the way."""
        super().hideEvent(event)
        self.lines.clear()
        self.guide.leave()

    def _say_input(self) -> None:
        layer = self.session.segmentation
        reason = why_not(layer)
        give_role(self.about, "warning" if reason and layer is not None else "muted")
        known = about_scan(self.session, layer)
        self.about.say(reason or known)
        self.run_bar.button.setEnabled(not reason)

    def _show_result(self, *_: object) -> None:
        """Show the figures of the chosen layer, marked where they are out of date."""
        measured = self._kept.of(self.session.segmentation)
        before, was_old = self._shown, self._old
        self._shown = measured
        self._old = bool(self.out_of_date)
        # Without a figure there is no table to look at, and nothing to save.
        some = measured is not None and bool(measured.result.measurements.figures)
        for part in (self.panel, self.saver):
            part.setVisible(some)
        self.panel.show_measurements(measured.result.measurements if measured is not None else None)
        if measured is not before or self._old != was_old:
            self._draw(self.panel.table.current)
        self._say_result()
        self._look_soon()

    def _look_soon(self) -> None:
        """Find out, once nobody draws, whether labels that changed are again what was measured."""
        if self._shown is not None and self._shown.watch.stale and self.isVisible():
            self._look.start(_PAUSE)

    def _look_on(self) -> None:
        """A piece at a time, with the window drawing in between."""
        if self._shown is not None and self._shown.watch.look():
            self._look.start(0)

    def _say_result(self) -> None:
        measured, old = self._shown, self.out_of_date
        self.panel.mark_old(bool(old))
        self.saver.show_result(measured, bool(old))
        if measured is None:
            self.card.clear()
            return
        found = measured.result.measurements
        headline = headline_of(found, measured.result.segmentation.numbering)
        self.card.say(
            f"Out of date: {headline}" if old else headline,
            remark_of(found),
            [old, *found.warnings] if old else found.warnings,
        )

    def _on_result(self, measured: Measured) -> None:
        layer = measured.layer
        if layer not in layers_of(self.session.viewer):
            measured.watch.stop()
            self.say_briefly("The labels were closed meanwhile, so their figures were not kept.")
            return
        self._kept.add(measured)
        self._show_result()
        if layer is not self.session.segmentation:
            self.say_briefly(f"{layer.name} is measured; choose it to see its figures.")

    def _on_failed(self, error: Exception) -> None:
        for part in (self.panel, self.saver):
            part.hide()
        self.card.say_error("Not measured", report(error))

    def _on_ended(self) -> None:
        self._job = None

    def _on_chosen(self, figure: Figure) -> None:
        """Go where a figure was taken; where it is missing, to its level."""
        if self._shown is not None:
            # Lines of one patient over the picture of another would be believed.
            uncover(self.session, self._shown.layer)
            said = self.guide.go(figure, self._shown.result, self._shown.layer)
            self._draw(figure)
            if said:
                self.say_briefly(said)

    def _draw(self, chosen: Figure | None) -> None:
        """The chosen figure's lines, and those of the same measure at the other levels."""
        if self._shown is None or chosen is None or not self.isVisible():
            self.lines.clear()
            return
        result = self._shown.result
        lines = [
            Line(
                result.index_of(mark),
                place_of(figure, result),
                colour_of(figure.label) if figure.label else _NO_LEVEL_COLOUR,
                figure is chosen,
            )
            for figure in self.panel.figures_of(chosen.key)
            for mark in figure.marks
        ]
        self.lines.show(self._shown.layer, lines, shown(chosen) + (_OLD if self._old else ""))

    def _lay_out(self) -> None:
        picker = LayerPicker(self.session, "segmentation")
        self.inputs.addRow(row_label("Labels", picker), picker)
        self.inputs.addRow(DrawnOn(self.session))
        self.inputs.addRow(self.about)
        self.advanced.addWidget(self.advanced_form)
        self.card.body.addWidget(self.panel)
        self.card.body.addWidget(self.saver)

    def _connect(self) -> None:
        self.run_bar.started.connect(self.measure)
        self._look.timeout.connect(self._look_on)
        self.advanced_form.changed.connect(self._show_result)
        self.panel.chosen.connect(self._on_chosen)
        self.panel.said.connect(self.say_briefly)
        while_alive(self, self.session.scan_changed, self._on_other)
        while_alive(self, self.session.segmentation_changed, self._on_other)

    def _on_other(self, _: Labels | None = None) -> None:
        """Another scan or segmentation is worked on."""
        self.refresh()
