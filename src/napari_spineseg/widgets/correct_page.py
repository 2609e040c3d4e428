"""The page *Correct*: fixing a segmentation, with nothing drawn ever lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from napari.layers import Image, Labels
from napari.utils.notifications import show_info
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QCheckBox, QLineEdit, QPushButton, QWidget

from napari_spineseg.anatomy import Numbering, Structure, structure_of
from napari_spineseg.corrections import tools
from napari_spineseg.corrections.edit import Edit, edit_to
from napari_spineseg.corrections.entry import STATES, Version, numbering_from
from napari_spineseg.errors import SpineSegError
from napari_spineseg.widgets.correct_brush import Brush, rule_for_tools
from napari_spineseg.widgets.correct_clicks import ClickTool, Gesture
from napari_spineseg.widgets.correct_column import ColumnPanel
from napari_spineseg.widgets.correct_doubts import DoubtPanel
from napari_spineseg.widgets.correct_draw import DrawPanel
from napari_spineseg.widgets.correct_fix import ClickToFix
from napari_spineseg.widgets.correct_help import HelpSheet
from napari_spineseg.widgets.correct_history import History
from napari_spineseg.widgets.correct_keeper import Keeper, Offer
from napari_spineseg.widgets.correct_offer import OfferPanel
from napari_spineseg.widgets.correct_picker import StructurePicker
from napari_spineseg.widgets.correct_tools import TOOLS, Place, ToolGrid, place_of
from napari_spineseg.widgets.keys import RECENT, LayerKeys, add_shortcuts, key_of
from napari_spineseg.widgets.legend import scheme_of
from napari_spineseg.widgets.linked_views import LinkedViews
from napari_spineseg.widgets.page import Page
from napari_spineseg.widgets.parts import Choice, Words, row_label, tooltip
from napari_spineseg.widgets.picker import LayerPicker
from napari_spineseg.widgets.session import layers_of, while_alive
from napari_spineseg.widgets.worker import report

if TYPE_CHECKING:
    from napari.viewer import Viewer

_HINT_MS = 8000
_STATE_WORDS = {"in-progress": "In progress", "done": "Done", "excluded": "Leave out of training"}
_WAITING = {
    "split": "Click once in each part of the structure.",
    "split_line": "Drag a line across the structure.",
    "merge": "Click the structure that belongs to the chosen one.",
    "fix": "Click what belongs to the structure; right-click or Shift-click what does not. Drag to scribble.",
}


class CorrectPage(Page):
    """Draw, repair, go from one doubtful place to the next, and save versions."""

    title = "Correct"
    verb = "Save version"

    def __init__(self, napari_viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, parent)
        self._layer: Labels | None = None
        self._brush: Brush | None = None
        self._keys: LayerKeys | None = None
        self._histories: dict[Labels, History] = {}
        self._first_click: tuple[float, float, float] | None = None
        self._linked_dock: QWidget | None = None
        self.keeper = Keeper(self)
        self.clicks = ClickTool(self)
        self.fix = ClickToFix(self.session, self)
        self.offer_panel = OfferPanel()
        self.doubts = DoubtPanel(self.session)
        self.picker = StructurePicker()
        self.draw = DrawPanel()
        self.tools = ToolGrid()
        self.whole = QCheckBox("Tools work through all slices")
        self.whole.setObjectName("whole")
        self.column = ColumnPanel()
        self._lay_out()
        self._connect()
        self.actions = self._actions()
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
        return self._histories.get(self._layer) if self._layer is not None else None

    def has_input(self) -> bool:
        """Whether there is a segmentation."""
        return self.session.segmentation is not None

    def apply(self, edit: Edit, numbering: Numbering | None = None) -> bool:
        """Make an edit one step, and say what it did."""
        if self.history is None:
            return False
        changed = self.history.apply(edit, numbering)
        if changed:
            self.picker.used()
        self.say(edit.words or ("Renamed." if changed else ""))
        return changed

    def run_tool(self, action: str) -> None:
        """Run a tool on the chosen structure, here."""
        at = self._place()
        if at is None:
            return
        if not at.label and action != "erase_islands":
            self.say("Choose a structure first.")
            return
        self._guarded(lambda: self.apply(TOOLS[action](at)))

    def start_clicks(self, action: str) -> None:
        """Let a tool wait for clicks in the picture; the same tool again ends it."""
        layer = self._layer
        if layer is None:
            return
        if self.clicks.active == action:
            self.clicks.stop()
            return
        self.session.viewer.layers.selection.active = layer
        self._first_click = None
        self.clicks.start(action, layer)
        self.tools.show_active(action)
        self.draw.show_mode(layer)
        self.say(_WAITING[action], stays=True)
        if action == "fix":
            self.fix.start(layer)

    def relabel(self, name: str, numbering: Numbering) -> None:
        """The chosen structure is really `name`, in a spine with this numbering."""
        at = self._place()
        if at is not None:
            self._guarded(
                lambda: self.apply(tools.relabel_column(at.labels, at.label, name, numbering), numbering)
            )
            self.picker.refresh()

    def save(self) -> None:
        """Put the labels into the corrections store as a version."""
        if self._layer is not None:
            self.run_bar.button.setEnabled(False)
            self.keeper.save_version(self.state.currentData(), self.note.text().strip())

    def say(self, words: str, stays: bool = False) -> None:
        """Say what happened, below the button."""
        self.hint.say(words)
        self._forget.stop()
        if words and not stays:
            self._forget.start()

    def toggle_linked(self) -> None:
        """Show or hide the axial and coronal views, in a dock of their own."""
        window = self.session.viewer.window
        if self._linked_dock is None:
            self.linked = LinkedViews(self.session)
            self._linked_dock = window.add_dock_widget(self.linked, name="Axial and coronal", area="right")
            self._linked_dock.destroyed.connect(self._on_linked_gone)
            self.linked.show_layers(self.session.scan, self._layer)
        else:
            self._linked_dock.setVisible(not self._linked_dock.isVisible())

    def show_help(self) -> None:
        """Open the sheet with all keys."""
        self.help_sheet = HelpSheet(self.session.viewer.theme, self)
        self.help_sheet.show()

    def showEvent(self, event: object) -> None:
        """Keys and the brush are the page's while it is shown."""
        super().showEvent(event)
        self._take(self._layer)

    def hideEvent(self, event: object) -> None:
        """Give keys and brush back to napari. What is drawn is kept all the same."""
        super().hideEvent(event)
        self._release()

    def _show_layer(self, layer: Labels | None) -> None:
        if layer is self._layer:
            return
        self._release()
        self.keeper.detach()
        self.offer_panel.clear()
        self._layer = layer
        for part in (self.picker, self.column, self.doubts):
            part.show_layer(layer)
        if layer is not None:
            self._histories = {
                k: v for k, v in self._histories.items() if k in layers_of(self.session.viewer)
            }
            if layer not in self._histories:
                self._histories[layer] = History(layer)
            if (scan := self._scan()) is not None:
                self.keeper.attach(layer, scan)
            else:
                self.say(
                    "The scan of this segmentation is not open, so corrections are not kept.", stays=True
                )
        if self._linked_dock is not None:
            self.linked.show_layers(self._scan(), layer)
        if self.isVisible():
            self._take(layer)

    def _take(self, layer: Labels | None) -> None:
        if layer is None or self._keys is not None:
            return
        self._brush = Brush(layer)
        self._keys = LayerKeys(layer, self.actions)
        self.draw.show_layer(layer, self._brush)

    def _release(self) -> None:
        self.clicks.stop()
        if self._keys is not None:
            self._keys.release()
            self._brush.release()
            self._keys = self._brush = None
            self.draw.show_layer(None, None)
            if (history := self.history) is not None:
                history.bind()

    def _scan(self) -> Image | None:
        return self.session.scan_of(self._layer) if self._layer is not None else None

    def _place(self) -> Place | None:
        if self._layer is None or self._brush is None:
            return None
        rule = rule_for_tools(self._brush.rule(), int(self._layer.selected_label))
        viewer = self.session.viewer
        return place_of(self._layer, self._scan(), viewer.dims, self.whole.isChecked(), rule)

    def _on_gesture(self, tool: str, gesture: Gesture) -> None:
        """A click or a drag for the tool that waits."""
        if self._layer is not None:
            handle = {
                "split": self._split,
                "split_line": self._split_line,
                "merge": self._merge,
                "fix": self._fix,
            }
            self._guarded(lambda: handle[tool](gesture))

    def _split(self, gesture: Gesture) -> None:
        if self._first_click is None:
            self._first_click = gesture.points[0]
            self.say("Now click in the other part.", stays=True)
            return
        first, self._first_click = self._first_click, None
        at = self._place()
        label = self._label_at(first)
        self.clicks.stop()
        self.apply(tools.split_between(at.labels, label, first, gesture.points[-1], at.spacing))

    def _split_line(self, gesture: Gesture) -> None:
        at = self._place()
        self.clicks.stop()
        ends = gesture.points[0], gesture.points[-1]
        self.apply(tools.split_at_line(at.labels, at.label, *ends, at.spacing, at.axis))

    def _merge(self, gesture: Gesture) -> None:
        at, other = self._place(), self._label_at(gesture.points[0])
        if not other:
            self.say("Click on a structure.", stays=True)
            return
        self.clicks.stop()
        vertebrae = {structure_of(other), structure_of(at.label)} == {Structure.VERTEBRA}
        levels = scheme_of(self._layer)[0] == "levels" and vertebrae and abs(other - at.label) == 1
        self.apply(tools.merge(at.labels, at.label, other, renumber=levels))

    def _fix(self, gesture: Gesture) -> None:
        at = self._place()
        if at.image is None:
            self.say("Open the scan of this segmentation first.")
            return
        under = self._label_at(gesture.points[0])
        label = under if gesture.remove and under else at.label
        if not label:
            self.say("Choose a structure first.")
            return
        self.apply(self.fix.edit(at, label, gesture))

    def _label_at(self, point: tuple[float, float, float]) -> int:
        index = tuple(round(v) for v in point)
        inside = all(0 <= v < n for v, n in zip(index, self._layer.data.shape, strict=True))
        return int(self._layer.data[index]) if inside else 0

    def _guarded(self, work: Callable[[], object]) -> None:
        """What cannot be done is said in the page."""
        try:
            work()
        except SpineSegError as error:
            self.say(str(error))

    def _on_clicks_ended(self) -> None:
        self.tools.show_active(None)
        self._first_click = None
        self.fix.stop()
        if self.hint.words in _WAITING.values() or self.hint.words.startswith("Now click"):
            self.say("")
        if self._layer is not None:
            self.draw.show_mode(self._layer)

    def _on_offer(self, offer: Offer) -> None:
        self.offer_panel.ask(offer)

    def _on_accepted(self, offer: Offer) -> None:
        layer = self._layer
        if layer is None or offer.labels.shape != layer.data.shape:
            return
        whole = tuple(slice(0, n) for n in layer.data.shape)
        words = "Brought back what was drawn." if offer.path is not None else "Opened the last version."
        edit = edit_to(layer.data, offer.labels.astype(layer.data.dtype), whole, words)
        self.apply(edit, numbering_from(offer.about))
        self.keeper.accepted(offer)
        self.picker.refresh()
        self.doubts.check()

    def _on_saved(self, version: Version) -> None:
        self.run_bar.button.setEnabled(True)
        self.note.clear()
        state = _STATE_WORDS[self.state.currentData()].lower()
        changed = version.about.get("changed") or {}
        voxels = changed.get("voxels")
        remark = f"{voxels} voxels differ from the model's answer" if voxels is not None else ""
        self.card.say(
            f"Version {version.number} saved", remark, (), f"{state} · {version.folder.parent.parent}"
        )
        show_info(
            f"Saved version {version.number} of {self._layer.name if self._layer else 'the segmentation'}"
        )

    def _on_failed(self, error: Exception) -> None:
        self.run_bar.button.setEnabled(True)
        self.card.say_error("Not saved", report(error))

    def _on_linked_gone(self) -> None:
        self._linked_dock = None

    def _on_layers(self) -> None:
        if self._linked_dock is not None:
            self.linked.show_layers(self._scan(), self._layer)
        if self._layer is not None and self.keeper.idle and (scan := self._scan()) is not None:
            self.keeper.attach(self._layer, scan)

    def _lay_out(self) -> None:
        picker = LayerPicker(self.session, "segmentation")
        self.inputs.addRow(row_label("Labels", picker), picker)
        self.settings.addWidget(self.offer_panel)
        self._section("Where to look next", self.doubts)
        self._section("Draw", self.picker, self.draw)
        self._section("Repair", self.tools, self.whole)
        self._section("Levels", self.column)
        self.state, self.note = Choice(), QLineEdit()
        self.state.setObjectName("state")
        self.state.setAccessibleName("Review state")
        for state in STATES:
            self.state.addItem(_STATE_WORDS[state], state)
        self.note.setObjectName("note")
        self.note.setPlaceholderText("Note")
        self.note.setAccessibleName("Note")
        self.advanced.addWidget(self.state)
        self.advanced.addWidget(self.note)
        self.advanced.setText("Review")
        help_button = QPushButton("Keys")
        help_button.setObjectName("help")
        help_button.setToolTip(tooltip(f"All keys on one sheet ({key_of('help').text})"))
        help_button.clicked.connect(self.show_help)
        self.run_bar.add_beside(help_button)
        self._forget = QTimer(self, singleShot=True, interval=_HINT_MS)
        self._forget.timeout.connect(lambda: self.hint.say(""))

    def _section(self, title: str, *widgets: QWidget) -> None:
        self.settings.addWidget(Words(title, "title"))
        for widget in widgets:
            self.settings.addWidget(widget)

    def _connect(self) -> None:
        self.run_bar.started.connect(self.save)
        self.tools.chosen.connect(lambda action: self.actions[action]())
        self.draw.chosen.connect(lambda action: self.actions[action]())
        self.column.renumber.connect(self.relabel)
        self.clicks.made.connect(self._on_gesture)
        self.clicks.ended.connect(self._on_clicks_ended)
        self.offer_panel.accepted.connect(self._on_accepted)
        self.offer_panel.declined.connect(self.keeper.declined)
        self.keeper.offered.connect(self._on_offer)
        self.keeper.saved.connect(self._on_saved)
        self.keeper.failed.connect(self._on_failed)
        self.doubts.went.connect(self._on_went)
        while_alive(self, self.session.segmentation_changed, self._show_layer)
        while_alive(self, self.session.layers_changed, self._on_layers)
        keeper = self.keeper
        self.destroyed.connect(lambda: keeper.shut_down())

    def _on_went(self, doubt: object) -> None:
        if self._linked_dock is not None:
            self.linked.go(doubt.point)

    def _actions(self) -> dict[str, Callable[[], object]]:
        """What every row of the key table does."""
        mode = {"paint": "paint", "erase": "erase", "fill": "fill", "pick": "pick", "move": "pan_zoom"}
        actions: dict[str, Callable[[], object]] = {
            name: (lambda value=value: self._set_mode(value)) for name, value in mode.items()
        }
        actions |= {name: (lambda name=name: self.run_tool(name)) for name in TOOLS}
        actions |= {name: (lambda name=name: self.start_clicks(name)) for name in _WAITING}
        actions |= {f"recent_{n}": (lambda n=n: self.picker.take_recent(n)) for n in range(1, RECENT + 1)}
        return actions | {
            "smaller_brush": lambda: self.draw.change_size(-1),
            "larger_brush": lambda: self.draw.change_size(1),
            "brush_3d": self.draw.toggle_3d,
            "confine": self.draw.next_confine,
            "relabel": self._focus_level,
            "next": lambda: self.doubts.step(1),
            "previous": lambda: self.doubts.step(-1),
            "fine": self.doubts.looks_fine,
            "undo": lambda: self.history and self.history.undo(),
            "redo": lambda: self.history and self.history.redo(),
            "save": self.save,
            "linked": self.toggle_linked,
            "help": self.show_help,
        }

    def _set_mode(self, mode: str) -> None:
        if self._layer is not None:
            self.clicks.stop()
            self.session.viewer.layers.selection.active = self._layer
            self._layer.mode = mode

    def _focus_level(self) -> None:
        self.column.level.setFocus()
        self.column.level.showPopup()
