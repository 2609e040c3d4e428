"""The page *Prepare*: a recipe of steps, seen on the current slice before it is applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Image
from napari.utils.notifications import show_info
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QToolButton, QWidget

from napari_spineseg.errors import SpineSegError
from napari_spineseg.io.layers import scan_from_layer
from napari_spineseg.preprocessing import GeometricStep, Pipeline, Step
from napari_spineseg.preprocessing.crop import Crop
from napari_spineseg.preprocessing.one_slice import done_whole, draft
from napari_spineseg.widgets.aside import add_aside, place_over
from napari_spineseg.widgets.known import about
from napari_spineseg.widgets.lifetime import while_alive
from napari_spineseg.widgets.page import Page, scrolling
from napari_spineseg.widgets.parts import Choice, Words, row_label, tooltip
from napari_spineseg.widgets.picker import LayerPicker
from napari_spineseg.widgets.prepare.apply import ApplyRun
from napari_spineseg.widgets.prepare.audit_tab import AuditTab
from napari_spineseg.widgets.prepare.box import CropBox
from napari_spineseg.widgets.prepare.history import HistoryPanel
from napari_spineseg.widgets.prepare.layers import command_for, reference_choices, result_layer
from napari_spineseg.widgets.prepare.preview import RecipePreview
from napari_spineseg.widgets.prepare.recipes import RecipeBar
from napari_spineseg.widgets.prepare.steps import StepList
from napari_spineseg.widgets.prepare.swipe import SwipeRow
from napari_spineseg.widgets.segment.words import describe
from napari_spineseg.widgets.session import is_scan, unwrapped
from napari_spineseg.widgets.style import give_role
from napari_spineseg.widgets.worker import report

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_spineseg.scan import Scan

_TARGETS = [
    ("this", "This scan"),
    ("selected", "Scans selected in the layer list"),
    ("all", "All open scans"),
]
_START = "Choose a recipe, or add a step."


class PreprocessPage(Page):
    """Steps with their settings, a live preview, *Apply*, and the way back; beside it the dataset audit."""

    title = "Prepare"
    verb = "Apply"

    def __init__(self, napari_viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, parent)
        self._run: ApplyRun | None = None
        self.advanced.hide()
        self._add_inputs()
        self.recipes = RecipeBar()
        self.steps = StepList(lambda: reference_choices(self.session))
        self.recipe_label = row_label("Recipe", self.recipes.choice)
        for part in (self.recipe_label, self.recipes, self.steps):
            self.settings.addWidget(part)
        self._add_box()
        self._add_preview()
        self._add_below()
        self.audit = AuditTab(self.session)
        self._stack.addWidget(scrolling(self.audit))
        self.tabs, bar = _tab_bar(self)
        self.layout().insertWidget(0, bar)
        self._connect()
        self.refresh()
        self._on_recipe()

    def recipe(self) -> Pipeline:
        """The steps that are switched on."""
        return Pipeline(steps=self.steps.steps())

    @property
    def job(self) -> ApplyRun | None:
        """The run that is going on, if one is."""
        return self._run

    def refresh(self) -> None:
        """Show the frame, the audit, or what to do while there is no scan."""
        if not hasattr(self, "tabs"):
            return  # the frame is not laid out yet
        if self.tabs.checkedId() == 1:
            self._stack.setCurrentIndex(2)
            return
        super().refresh()
        scan = self.session.scan
        self._scan_words.say(describe(scan) if scan is not None else "")
        many = len(self.session.scans()) > 1
        self.target.setVisible(many)
        self.target_label.setVisible(many)
        self.steps.refresh_references()
        self._show_hint()

    def apply(self) -> None:
        """Start applying the recipe to the scans that were chosen."""
        layers = self._chosen()
        if self._run is not None or not layers:
            return
        recipe = self.recipe()
        if not recipe.steps:
            self.hint.say(_START)
            return
        self.preview.stop()
        self.box.stop()
        self.card.clear()
        try:
            run = ApplyRun(self.session, layers, recipe, self)
        except SpineSegError as error:
            self.card.say_error("Not applied", report(error))
            return
        self._run = run
        run.job.ended.connect(self._on_ended)
        self.run_bar.follow(run.job)
        run.job.start()

    def copy_command(self) -> None:
        """Put the line of a terminal that does the same on the clipboard."""
        layer = self.session.scan
        if layer is None or not self.recipe().steps:
            self.hint.say(_START)
            return
        line, remark = command_for(self.session, layer, self.recipe())
        QGuiApplication.clipboard().setText(line)
        # Zero-width spaces let the long words of a command break; they are not on the clipboard.
        shown = line.replace(",", ",\u200b")
        self.hint.say(f"Copied: {shown} {remark}".strip())

    def _add_inputs(self) -> None:
        picker = LayerPicker(self.session, "scan")
        self._scan_words = Words("", "muted")
        self.inputs.addRow(row_label("Scan", picker), picker)
        self.inputs.addRow(self._scan_words)
        self.target = Choice()
        self.target.setObjectName("target")
        for value, words in _TARGETS:
            self.target.addItem(words, value)
        self.target_label = row_label("Apply to", self.target)
        self.inputs.addRow(self.target_label, self.target)

    def _add_box(self) -> None:
        self.box_button = QPushButton("Draw a box")
        self.box_button.setObjectName("draw_box")
        self.box_button.setCheckable(True)
        self.box_button.setToolTip(tooltip("Drag a frame in the picture around what should stay"))
        self.box = CropBox(self.session, self)
        self.steps.extra.addWidget(self.box_button)
        self.box_button.hide()  # until the chosen step is one that crops

    def _add_preview(self) -> None:
        self.preview_button = QPushButton("Preview")
        self.preview_button.setObjectName("preview")
        self.preview_button.setCheckable(True)
        self.preview_button.setToolTip(tooltip("Show what the recipe makes of the slice you look at"))
        self.run_bar.add_beside(self.preview_button)
        self.preview = RecipePreview(self.session, self.recipe, self)
        self.swipe = SwipeRow()

    def _add_below(self) -> None:
        self.copy_button = QPushButton("Copy as command")
        self.copy_button.setObjectName("copy_command")
        self.copy_button.setToolTip(tooltip("The spineseg preprocess line that does the same in a terminal"))
        self.history = HistoryPanel(self.session)
        below = self.run_bar.parentWidget().layout()
        place = below.indexOf(self.run_bar) + 1
        below.insertWidget(place, self.swipe)
        below.insertWidget(place + 1, self.copy_button)
        below.addWidget(self.history)

    def _connect(self) -> None:
        self.tabs.idToggled.connect(lambda *_: self.refresh())
        self.run_bar.started.connect(self.apply)
        self.copy_button.clicked.connect(self.copy_command)
        self.recipes.chosen.connect(lambda recipe: self.steps.set_steps(recipe.steps))
        self.steps.changed.connect(self._on_recipe)
        self.steps.chosen.connect(self._on_step)
        self.box_button.toggled.connect(self._on_box)
        self.box.drawn.connect(self.steps.change_current)
        self.box.ended.connect(lambda: self.box_button.setChecked(False))
        self.preview_button.toggled.connect(self._on_preview)
        self.preview.message.connect(self.hint.say)
        self.preview.ended.connect(lambda: self.preview_button.setChecked(False))
        self.preview.failed.connect(lambda error: self.card.say_error("No preview", report(error)))
        self.swipe.moved.connect(self.preview.swipe)
        self.history.undone.connect(self._on_undone)
        while_alive(self, self.session.scan_changed, self._on_scan)

    def _chosen(self) -> list[Image]:
        scans, which = self.session.scans(), self.target.currentData()
        if which == "all" and len(scans) > 1:
            return scans
        if which == "selected" and len(scans) > 1:
            selected = [unwrapped(layer) for layer in self.session.viewer.layers.selection]
            return [layer for layer in scans if is_scan(layer) and layer in selected] or [self.session.scan]
        return [self.session.scan] if self.session.scan is not None else []

    def _on_recipe(self) -> None:
        steps = self.steps.steps()
        self.recipes.show_steps(steps, self.steps.switched_off())
        for button in (self.run_bar.button, self.preview_button, self.copy_button):
            button.setEnabled(bool(steps))
        self._show_hint()
        step = self.steps.current()
        if isinstance(step, Crop):
            self.box.show(step)
        if steps:
            self.preview.refresh()
        else:
            self.preview.stop()

    def _on_step(self, step: Step | None) -> None:
        self.box_button.setVisible(isinstance(step, Crop))
        self.box.stop()

    def _on_box(self, on: bool) -> None:
        layer, step = self.session.scan, self.steps.current()
        if not on or layer is None or not isinstance(step, Crop):
            self.box.stop()
            return
        scan = scan_from_layer(layer)
        self.box.start(layer, scan.grid, self._grid_before(scan), step)

    def _grid_before(self, scan: Scan) -> object:
        """The grid that the chosen step finds, as far as it can be told without doing the steps before."""
        row = self.steps.list.currentRow()
        before = [item.data(Qt.ItemDataRole.UserRole) for item in self.steps.list.items()[:row]]
        told = [s for s in before if isinstance(s, GeometricStep) and not done_whole([s])]
        return draft(scan, [s for s in told if not hasattr(s, "reference")]).grid

    def _on_preview(self, on: bool) -> None:
        self.swipe.setVisible(on)
        if not on:
            self.preview.stop()
            self.swipe.reset()
            return
        try:
            self.preview.start()
        except SpineSegError as error:
            self.card.say_error("No preview", report(error))
        if not self.preview.active:
            self.preview_button.setChecked(False)

    def _on_scan(self, layer: Image | None) -> None:
        self.box.stop()
        if self._run is None:
            self.card.clear()  # it speaks of another scan
        self.refresh()

    def _on_ended(self) -> None:
        run, self._run = self._run, None
        scan = self.session.scan
        elsewhere = bool(run.made) and scan is not None and scan not in run.layers
        for made in run.made:
            layer = result_layer(made.result, made.scan, made.layer)
            if not elsewhere:
                self._insert(layer, made.layer)
                continue
            add_aside(self.session, layer, place_over(self.session, made.layer))
            self.history.remember(layer, made.layer)
            show_info(f"{layer.name} is ready; choose it to see it.")
        if not elsewhere:
            run.tell(self.card)

    def _on_undone(self, result: Scan, origin: Image) -> None:
        scan = scan_from_layer(origin)
        if result.history == scan.history:
            self.session.viewer.layers.selection.active = origin
            return
        self._insert(result_layer(result, scan, origin), origin)

    def _insert(self, layer: Image, scan_layer: Image) -> None:
        layers = self.session.viewer.layers
        layers.insert(place_over(self.session, scan_layer), layer)
        layers.selection.active = layer
        self.history.remember(layer, scan_layer)

    def _show_hint(self) -> None:
        if not self.steps.list.count():
            self.hint.say(_START)
        elif self.session.scan is not None and about(self.session.scan).get("history"):
            self.hint.say(f"{self.session.scan.name} is preprocessed already; Apply adds to that.")
        elif not self.preview.active:
            self.hint.say("")


def _tab_bar(parent: QWidget) -> tuple[QButtonGroup, QWidget]:
    """Scan or dataset: two buttons, of which one is down."""
    tabs, bar = QButtonGroup(parent), QWidget()
    row = QHBoxLayout(bar)
    row.setContentsMargins(10, 6, 10, 0)
    for number, (name, words) in enumerate((("tab_scan", "Scan"), ("tab_audit", "Dataset audit"))):
        tab = QToolButton()
        tab.setObjectName(name)
        tab.setText(words)
        tab.setCheckable(True)
        tab.setChecked(number == 0)
        tab.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        give_role(tab, "chip")
        tabs.addButton(tab, number)
        row.addWidget(tab)
    row.addStretch(1)
    return tabs, bar
