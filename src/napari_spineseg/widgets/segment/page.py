"""The page *Segment*: a scan in, its vertebrae, discs and canal out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Image, Labels
from napari.utils.notifications import show_info
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QPushButton, QWidget

from napari_spineseg.errors import SpineSegError
from napari_spineseg.io.layers import scan_from_layer
from napari_spineseg.progress import Control
from napari_spineseg.segment import SegmentResult, SegmentSettings, segment
from napari_spineseg.widgets.aside import add_aside, place_over
from napari_spineseg.widgets.correct.history import history_of
from napari_spineseg.widgets.drawn_on import DrawnOn
from napari_spineseg.widgets.known import about
from napari_spineseg.widgets.legend import Legend, labels_in, scheme_of
from napari_spineseg.widgets.lifetime import while_alive
from napari_spineseg.widgets.network_choices import DEVICES, model_choices
from napari_spineseg.widgets.page import Page
from napari_spineseg.widgets.parts import Words, row_label, tooltip
from napari_spineseg.widgets.picker import LayerPicker, uncover
from napari_spineseg.widgets.segment.find_tumours import FindTumours, tumour_model_there
from napari_spineseg.widgets.segment.numbering_panel import NumberingPanel
from napari_spineseg.widgets.segment.preview import SlicePreview
from napari_spineseg.widgets.segment.result_layers import (
    changed_by_hand,
    footnote_of,
    possible_tumours,
    result_layer,
    summary_of,
    uncertainty_layer,
)
from napari_spineseg.widgets.segment.save_panel import SavePanel
from napari_spineseg.widgets.segment.words import describe, doubt_of, places_to_look
from napari_spineseg.widgets.session import layers_of
from napari_spineseg.widgets.settings_form import SettingsForm, settings_from
from napari_spineseg.widgets.worker import Job, report

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_spineseg.scan import Scan

_SCHEMES = [("levels", "Each level (L5, L4/L5 …)"), ("structures", "Structures only")]


class SegmentPage(Page):
    """Segments the chosen scan and shows the result, with a legend and a way to save it."""

    title = "Segment"
    verb = "Segment"

    def __init__(self, napari_viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, parent)
        self._job: Job | None = None
        self._segmenting: Image | None = None
        self._elsewhere = ""
        """What to say of a run while another scan than its own is chosen."""
        self._scan_words = Words("", "muted")
        picker = LayerPicker(self.session, "scan")
        self.inputs.addRow(row_label("Scan", picker), picker)
        self.inputs.addRow(self._scan_words)
        self._doubt = Words("", "warning")
        self.inputs.addRow(self._doubt)
        self.inputs.addRow(DrawnOn(self.session))
        self.main_form = SettingsForm(
            SegmentSettings, ("model", "scheme"), {"model": model_choices, "scheme": lambda: _SCHEMES}
        )
        self.advanced_form = SettingsForm(
            SegmentSettings, ("device", "mirror", "uncertainty"), {"device": lambda: DEVICES}
        )
        self.settings.addWidget(self.main_form)
        self.advanced.addWidget(self.advanced_form)
        self._add_preview()
        self._add_result()
        self.run_bar.started.connect(lambda: self.segment())
        while_alive(self, self.session.scan_changed, self._show_scan)
        while_alive(self, self.session.segmentation_changed, self._show_result)
        self.refresh()
        self._show_scan(self.session.scan)
        self._show_result(self.session.segmentation)

    @property
    def job(self) -> Job | None:
        """The run that is going on, if one is."""
        return self._job

    def has_input(self) -> bool:
        """A run stays in sight, with its *Stop*, also when its scan was closed meanwhile."""
        return super().has_input() or self._job is not None

    def current_settings(self) -> SegmentSettings:
        """What the form says."""
        return settings_from(SegmentSettings, self.main_form, self.advanced_form)

    def showEvent(self, event: QShowEvent) -> None:
        """A model may have been learnt or imported since the page was last seen."""
        self.main_form.refresh_choices("model")
        self.tumours.setVisible(tumour_model_there())
        super().showEvent(event)

    def segment(self, model: str | None = None) -> None:
        """Start segmenting the chosen scan, with the model of the form or another one."""
        layer = self.session.scan
        if layer is None or self._job is not None:
            return
        try:
            scan, settings = scan_from_layer(layer), self.current_settings()
            settings = settings.model_copy(update={"model": model}) if model else settings
        except SpineSegError as error:
            self._on_failed(error)
            return
        self.preview.stop()
        self.card.clear()
        self._segmenting, self._elsewhere = layer, f"{layer.name} is being segmented."
        job = self._job = Job(
            lambda control: _run(scan, settings, control), f"Segmenting {layer.name}", owner=self
        )
        job.returned.connect(lambda result: self._on_result(result, layer, scan))
        job.failed.connect(self._on_failed)
        job.stopped.connect(self._on_stopped)
        job.ended.connect(self._on_ended)
        self.run_bar.follow(job)
        self.tumours.find.setEnabled(False)
        job.start()

    def _add_preview(self) -> None:
        self.preview_button = QPushButton("Preview this slice")
        self.preview_button.setObjectName("preview")
        self.preview_button.setCheckable(True)
        self.preview_button.setToolTip(
            tooltip("Draw the model's answer over the slice that is shown, and over each slice you go to")
        )
        self.run_bar.add_beside(self.preview_button)
        self.preview = SlicePreview(self.session, self.current_settings, parent=self)
        self.preview_button.toggled.connect(self._on_preview_toggled)
        self.preview.message.connect(self.hint.say)
        self.preview.ended.connect(lambda: self.preview_button.setChecked(False))
        self.preview.failed.connect(lambda error: self._on_failed(error, "No preview"))
        for form in (self.main_form, self.advanced_form):
            form.changed.connect(self.preview.restart)

    def _add_result(self) -> None:
        self.tumours = FindTumours(self.session)
        self.tumours.wanted.connect(self.segment)
        self.settings.addWidget(self.tumours)
        self.tumours.setVisible(tumour_model_there())
        self.save_panel = SavePanel(self.session)
        self.legend = Legend(self.session)
        self.numberings = NumberingPanel(self.session)
        self.numberings.said.connect(self._on_numbered)
        for part in (self.numberings, self.save_panel, self.legend):
            self.card.body.addWidget(part)
        # What is drawn, renumbered or undone on any page is told here too.
        self.legend.listed.connect(self._tell_result)
        # A result may be an error or a word; only a segmentation has a legend and can be saved.
        self._result_parts = (self.save_panel, self.legend)

    def _on_preview_toggled(self, on: bool) -> None:
        if not on:
            self.preview.stop()
            return
        try:
            self.preview.start()
        except SpineSegError as error:
            self._on_failed(error, "No preview")
        if not self.preview.active:
            self.preview_button.setChecked(False)

    def _on_result(self, result: SegmentResult, scan_layer: Image, scan: Scan) -> None:
        viewer = self.session.viewer
        layer = result_layer(result, scan, scan_layer)
        there = scan_layer in layers_of(viewer)
        place = place_over(self.session, scan_layer)
        hidden = self._hide_older(scan_layer) if there else []
        if there:
            self.session.link(layer, scan_layer)
        if result.uncertainty is not None:
            viewer.layers.insert(place, uncertainty_layer(result, scan, layer))
        if not there:
            # Over whatever scan is open now it would lie on another person's spine.
            self._add_aside(layer, place)
            show_info(f"The scan {scan.name} was closed meanwhile. {layer.name} is kept, hidden.")
            return
        if self.session.scan is not scan_layer:
            # Whoever went over to another patient is not to be torn away from there.
            self._add_aside(layer, place)
            show_info(f"{layer.name} is ready; choose the scan {scan_layer.name} to see it.")
            return
        viewer.layers.insert(place, layer)
        viewer.layers.selection.active = layer
        self.session.segmentation = layer
        uncover(self.session, layer)
        if hidden:
            # What was corrected by hand must not seem to be gone.
            self.say_briefly(f"Hidden, and kept as it was: {', '.join(hidden)}.")

    def _add_aside(self, layer: Labels, place: int) -> None:
        """Keep a result, hidden, and leave what is worked on as it is."""
        add_aside(self.session, layer, place)
        self._show_labels(self.session.segmentation)

    def _hide_older(self, scan_layer: Image) -> list[str]:
        """Two segmentations of one scan on top of each other cannot be told apart. Their names."""
        older = [s for s in self.session.over(scan_layer) if s.visible]
        for layer in older:
            layer.visible = False
        return [layer.name for layer in older]

    def _on_failed(self, error: Exception, what: str = "Not segmented") -> None:
        # Labels that are there can be looked through and saved all the same.
        self._show_parts(self.session.segmentation is not None)
        self.card.say_error(what, report(error))

    def _on_stopped(self) -> None:
        self._show_result(self.session.segmentation)
        self.say_briefly("Stopped. Nothing was changed.")

    def _on_ended(self) -> None:
        self._job = None
        self.tumours.find.setEnabled(True)
        if self.hint.words == self._elsewhere:
            self.hint.say("")
        self.refresh()

    def _show_scan(self, layer: Image | None) -> None:
        self._scan_words.say(describe(layer) if layer is not None else "")
        self._doubt.say(doubt_of(layer) if layer is not None else "")
        if self._job is not None:
            self.hint.say(self._elsewhere if layer is not self._segmenting else "")
        self.refresh()
        self._tell_result()

    def _show_result(self, layer: Labels | None) -> None:
        if self._job is not None and self._job.running and layer is None:
            return
        self._show_labels(layer)

    def _show_labels(self, layer: Labels | None) -> None:
        self._show_parts(layer is not None)
        if layer is None:
            self.numberings.show_layer(None)
            self.card.clear()
            return
        # It says when a step is undone, which napari alone does not.
        history_of(self.session, layer)
        self._say_result(layer)

    def _tell_result(self) -> None:
        """The labels that the card speaks of have changed."""
        layer = self.session.segmentation
        if layer is not None and self.save_panel.isVisibleTo(self.card):
            self._say_result(layer)
            self.tumours.show_findings(layer)

    def _say_result(self, layer: Labels) -> None:
        known = about(layer)
        warnings = known.get("warnings", ())
        # What is there now counts, not what was there when the model had ended.
        levels = scheme_of(layer)[0] == "levels"
        headline = summary_of(layer) if levels else known.get("summary") or summary_of(layer)
        self.card.say(
            headline[:1].upper() + headline[1:],
            places_to_look(warnings, len(possible_tumours(layer))) if labels_in(layer) else "",
            (*self._whose(layer), *warnings),
            footnote_of(layer, changed_by_hand(self.session, layer)),
        )
        self.numberings.show_layer(layer)

    def _whose(self, layer: Labels) -> tuple[str, ...]:
        """What to say where the scan above the card is not the one that was segmented: its own was closed."""
        scan = self.session.scan
        if scan is None or layer in self.session.over(scan):
            return ()
        return (f"{layer.name} was not made from {scan.name}; its own scan is not open.",)

    def _on_numbered(self, words: str) -> None:
        self.legend.refresh()
        self._tell_result()
        self.say_briefly(words)

    def _show_parts(self, shown: bool) -> None:
        for part in self._result_parts:
            part.setVisible(shown)


def _run(scan: Scan, settings: SegmentSettings, control: Control) -> SegmentResult:
    # napari's first labels layer imports it: here that holds no window up.
    import pandas  # noqa: F401

    return segment(scan, settings, control)
