"""The page *Correct*: fixing a segmentation, with nothing drawn ever lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from napari.layers import Image, Labels
from napari.utils.notifications import show_info
from qtpy.QtWidgets import QCheckBox, QWidget

from napari_spineseg.anatomy import Numbering
from napari_spineseg.corrections.edit import Edit
from napari_spineseg.corrections.entry import Version, numbering_from
from napari_spineseg.errors import SpineSegError
from napari_spineseg.widgets.correct.actions import actions_of
from napari_spineseg.widgets.correct.brush import rule_for_tools
from napari_spineseg.widgets.correct.carry import CarryOver, Drawn
from napari_spineseg.widgets.correct.clicks import Gesture
from napari_spineseg.widgets.correct.column import ColumnPanel
from napari_spineseg.widgets.correct.doubts import DoubtPanel
from napari_spineseg.widgets.correct.draw import DrawPanel
from napari_spineseg.widgets.correct.gestures import Gestures, is_request
from napari_spineseg.widgets.correct.help import help_button
from napari_spineseg.widgets.correct.history import History, Said, history_of
from napari_spineseg.widgets.correct.hold import Hold
from napari_spineseg.widgets.correct.keeper import Keeper
from napari_spineseg.widgets.correct.keys import add_shortcuts
from napari_spineseg.widgets.correct.linked import LinkedDock
from napari_spineseg.widgets.correct.offer import OfferPanel
from napari_spineseg.widgets.correct.picker import StructurePicker
from napari_spineseg.widgets.correct.review import ReviewPanel
from napari_spineseg.widgets.correct.tools import ALL_SLICES, Place, ToolGrid, edit_of, place_of
from napari_spineseg.widgets.correct.undo import UndoBar
from napari_spineseg.widgets.correct.work import Offer
from napari_spineseg.widgets.drawn_on import DrawnOn, why_not_kept
from napari_spineseg.widgets.lifetime import at_end_of, while_alive
from napari_spineseg.widgets.numberings import named, said_with
from napari_spineseg.widgets.page import Page
from napari_spineseg.widgets.parts import Words, row_label
from napari_spineseg.widgets.picker import LayerPicker, uncover
from napari_spineseg.widgets.worker import report

if TYPE_CHECKING:
    from napari.viewer import Viewer


class CorrectPage(Page):
    """Draw, repair, go from one doubtful place to the next, and save versions."""

    title = "Correct"
    verb = "Save version"

    def __init__(self, napari_viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, parent)
        self._layer: Labels | None = None
        self._of: Image | None = None
        """The scan that corrections are kept with."""
        self.keeper = Keeper(self)
        self.linked = LinkedDock(self.session, self)
        self.gestures = Gestures(self.session, self._place, self.apply, self)
        self.carry = CarryOver(self.session, self.apply, self)
        self.offer_panel = OfferPanel()
        self.doubts = DoubtPanel(self.session)
        self.picker = StructurePicker()
        self.draw = DrawPanel()
        self.tools = ToolGrid()
        self.whole = QCheckBox("Tools work through all slices")
        self.whole.setObjectName("whole")
        self.column = ColumnPanel()
        self.review = ReviewPanel()
        self.undo_bar = UndoBar(lambda: self.history)
        self.hold = Hold(self.session, self.draw, self.gestures, self)
        self.actions = actions_of(self)
        self._lay_out()
        self._connect()
        add_shortcuts(self, self.actions)
        self.refresh()
        self._show_layer(self.session.segmentation)

    @property
    def layer(self) -> Labels | None:
        """The segmentation that is corrected."""
        return self._layer

    @property
    def history(self) -> History | None:
        """What can be undone on it."""
        return self.session.histories.get(self._layer) if self._layer is not None else None

    def has_input(self) -> bool:
        """Whether there is a segmentation."""
        return self.session.segmentation is not None

    def apply(self, edit: Edit, said: Said | None = None) -> bool:
        """Make an edit one step, and say what it did; `said` goes with it into the layer's metadata."""
        if self.history is None:
            return False
        changed = self.history.apply(edit, said)
        if changed:
            self.picker.used()
        self.say("Renamed." if changed and not len(edit) else edit.words)
        return changed

    def run_tool(self, action: str) -> None:
        """Run a tool on the chosen structure, here."""
        if (at := self._place()) is None:
            return
        if not at.label and action != "erase_islands":
            self.say("Choose a structure first.")
            return
        drawn = "through" if self.whole.isChecked() or action in ALL_SLICES else "here"
        self._guarded(lambda: self.apply(edit_of(action, at, self._layer)), drawn)

    def start_clicks(self, action: str) -> None:
        """Let a tool wait for clicks in the picture; the same tool again ends it."""
        if self._layer is not None:
            self.gestures.start(action, self._layer)

    def set_mode(self, mode: str) -> None:
        """Take one of napari's own tools: its brush, its bucket, the hand."""
        if self._layer is not None:
            self.gestures.stop()
            self.session.viewer.layers.selection.active = self._layer
            self._layer.mode = mode

    def relabel(self, name: str, numbering: Numbering) -> None:
        """The chosen structure is really `name`, in a spine with this numbering."""
        at = self._place()
        if at is not None:
            self._guarded(lambda: self.apply(*named(self._layer, at.label, name, numbering)), "anew")
            self.picker.refresh()

    def save(self) -> None:
        """Put the labels into the corrections store as a version."""
        if self._layer is not None and self.keeper.idle:
            self.card.say_error("Not saved", why_not_kept(self.session, self._layer))
        elif self._layer is not None:
            self.run_bar.button.setEnabled(False)
            self.say("Saving a version …", stays=True)
            self.keeper.save_version(*self.review.said)

    def say(self, words: str, stays: bool = False) -> None:
        """Say what happened: below the button and, as that may be out of sight, in the status bar."""
        self.say_briefly(words)
        if stays:
            self._hush.stop()
        self.session.tell(words)

    def showEvent(self, event: object) -> None:
        """Keys and the brush are the page's while it is shown."""
        super().showEvent(event)
        self._take(self._layer)

    def hideEvent(self, event: object) -> None:
        """Give keys and brush back to napari. What is drawn is kept all the same."""
        super().hideEvent(event)
        self.hold.release()

    def _show_layer(self, layer: Labels | None) -> None:
        if layer is not self._layer:
            self._begin(layer)

    def _begin(self, layer: Labels | None) -> None:
        """Work on `layer` and its scan from now on."""
        self.hold.release()
        self.keeper.detach()
        for part in (self.offer_panel, self.card):
            part.clear()
        self.run_bar.button.setEnabled(True)  # a version of other labels may still be on its way
        self.review.show_state("in-progress")  # until the store is asked
        self._layer = layer
        self._of = self._scan()
        for part in (self.picker, self.column, self.doubts, self.carry):
            part.show_layer(layer)
        if layer is not None:
            history_of(self.session, layer)
            self._keep(layer)
        self.undo_bar.follow()
        self.linked.show_layers(self._scan(), layer)
        # The scan that is chosen may have none, though another one in the window has.
        self.refresh()
        if self.isVisible():
            self._take(layer)

    def _keep(self, layer: Labels) -> None:
        """Keep what is drawn on `layer`, if its scan is open."""
        if (scan := self._scan()) is not None:
            self.keeper.attach(layer, scan)
        else:
            self.keeper.wait(layer)
            self.say(why_not_kept(self.session, layer), stays=True)

    def _take(self, layer: Labels | None) -> None:
        if layer is None or self.hold.taken:
            return
        self.hold.take(layer, self.actions)
        if hidden := uncover(self.session, layer):
            self.say(f"Hidden while you correct {layer.name}: {', '.join(hidden)}.")

    def _stay_on_top(self) -> None:
        """Another sequence that is opened must not hide what is drawn."""
        if self.hold.taken and self._layer in self.session.segmentations():
            uncover(self.session, self._layer)

    def _scan(self) -> Image | None:
        return self.session.scan_of(self._layer) if self._layer is not None else None

    def _place(self) -> Place | None:
        if self._layer is None or self.hold.brush is None:
            return None
        rule = rule_for_tools(self.hold.brush.rule(), int(self._layer.selected_label))
        return place_of(self._layer, self._scan(), self.session.viewer.dims, self.whole.isChecked(), rule)

    def _guarded(self, work: Callable[[], object], drawn: Drawn = "here") -> None:
        """What cannot be done is said in the page."""
        try:
            with self.carry.drawing(drawn):
                work()
        except SpineSegError as error:
            self.say(str(error))

    def _on_gesture(self, tool: str, gesture: Gesture) -> None:
        self._guarded(lambda: self.gestures.do(tool, gesture), "here" if tool == "fix" else "anew")

    def _show_tool(self, tool: str | None) -> None:
        self.tools.show_active(tool)
        if self._layer is not None:
            self.draw.show_mode(self._layer)

    def _on_clicks_ended(self) -> None:
        self._show_tool(None)
        if is_request(self.hint.words):
            self.say("")

    def _on_accepted(self, offer: Offer) -> None:
        if self._layer is None or offer.labels.shape != self._layer.data.shape:
            return
        said = said_with(self._layer, offer.labels, numbering_from(offer.about))
        with self.carry.drawing("anew"):
            self.apply(offer.edit(self._layer.data), said)
        self.keeper.accepted(offer)
        self.picker.refresh()
        self.doubts.check()

    def _on_saved(self, version: Version, layer: Labels) -> None:
        if layer is self._layer:
            self.run_bar.button.setEnabled(True)
            self.say(self.review.show_saved(version, self.card))
        self.session.corrections_changed.emit()
        show_info(f"Saved version {version.number} of {layer.name}")

    def _on_failed(self, error: Exception) -> None:
        self.run_bar.button.setEnabled(True)
        self.say("")
        self.card.say_error("Not saved", report(error))

    def _on_layers(self) -> None:
        scan = self._scan()
        self.linked.show_layers(scan, self._layer)
        # A scan that was closed is still that of the labels; one that is open and no longer theirs never was.
        if self._layer is not None and scan is not self._of and (scan or self._of in self.session.scans()):
            self._begin(self._layer)

    def _lay_out(self) -> None:
        picker = LayerPicker(self.session, "segmentation")
        self.inputs.addRow(row_label("Labels", picker), picker)
        self.inputs.addRow(DrawnOn(self.session))
        self.settings.addWidget(self.offer_panel)
        self._section("Where to look next", self.doubts)
        self._section("Draw", self.picker, self.draw)
        self._section("Repair", self.tools, self.whole)
        self._section("Levels", self.column)
        self.advanced.addWidget(self.review)
        self.advanced.setText("Review")
        self.run_bar.add_beside(help_button(self.actions["help"]))
        self.keep_in_sight(self.undo_bar)

    def _section(self, title: str, *widgets: QWidget) -> None:
        for widget in (Words(title, "title"), *widgets):
            self.settings.addWidget(widget)

    def _connect(self) -> None:
        self.run_bar.started.connect(self.save)
        self.tools.chosen.connect(lambda action: self.actions[action]())
        self.draw.chosen.connect(lambda action: self.actions[action]())
        self.column.renumber.connect(self.relabel)
        self.carry.told.connect(self.say)
        self.carry.started.connect(self.run_bar.follow)
        self.gestures.clicks.made.connect(self._on_gesture)
        self.gestures.began.connect(self._show_tool)
        self.gestures.asked.connect(lambda words: self.say(words, stays=True))
        self.gestures.ended.connect(self._on_clicks_ended)
        self.offer_panel.accepted.connect(self._on_accepted)
        self.offer_panel.declined.connect(self.keeper.declined)
        self.keeper.offered.connect(self.offer_panel.ask)
        self.keeper.saved.connect(self._on_saved)
        self.keeper.failed.connect(self._on_failed)
        self.keeper.reviewed.connect(self.review.show_state)
        self.review.said_next.connect(self.say_briefly)
        self.keeper.safe.connect(self.undo_bar.say_kept)
        self.undo_bar.told.connect(self.say)
        self.doubts.told.connect(self.say_briefly)
        self.doubts.went.connect(lambda doubt: self.linked.go(doubt.point))
        while_alive(self, self.session.segmentation_changed, self._show_layer)
        while_alive(self, self.session.layers_changed, self._on_layers)
        while_alive(self, self.session.layers_changed, self._stay_on_top)
        at_end_of(self, self.keeper.shut_down)
