"""Versions of models: use one, go back, compare two on the open scan, move one as a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QGridLayout,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_spineseg.errors import SpineSegError
from napari_spineseg.io.layers import layer_tuple_for_segmentation, scan_from_layer
from napari_spineseg.models import ModelEntry, get_model, list_models
from napari_spineseg.models.archive import export_model, import_model
from napari_spineseg.models.versions import earlier_model, rollback, use_model
from napari_spineseg.progress import Progress
from napari_spineseg.widgets.learn.words import cost_of
from napari_spineseg.widgets.parts import Words, tooltip
from napari_spineseg.widgets.session import Session, layers_of
from napari_spineseg.widgets.style import give_role
from napari_spineseg.widgets.view import placement_of
from napari_spineseg.widgets.worker import Job, report

if TYPE_CHECKING:
    from napari_spineseg.learning.verdict.compare import Comparison

_ROWS = 5
# What two models differ in is a few voxels at borders.
_OPACITY = 0.8


class VersionPanel(QWidget):
    """Every model there is, the one in use marked."""

    changed = Signal()
    """Another model is in use, or one was added."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._job: Job | None = None
        self.list = QListWidget()
        self.list.setObjectName("versions")
        self.list.setAccessibleName("Model versions")
        self.words = Words("", "muted")
        self.buttons = {
            name: _button(name, words, help_text)
            for name, words, help_text in (
                ("use", "Use", "Segment with this version from now on"),
                ("rollback", "Roll back", "Go back to the model that was used before"),
                (
                    "compare",
                    "Compare",
                    "Segment the open scan with it and the one in use; show the difference",
                ),
                ("export", "Export…", "Write the version as one file"),
                ("import", "Import…", "Add a version from a file; nothing in it is executed"),
            )
        }
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        layout.addWidget(self.list)
        grid = QGridLayout()
        for number, button in enumerate(self.buttons.values()):
            grid.addWidget(button, number // 3, number % 3)
        layout.addLayout(grid)
        layout.addWidget(self.words)
        self.list.currentItemChanged.connect(self._on_chosen)
        for name, slot in (
            ("use", self._use),
            ("rollback", self._roll_back),
            ("compare", self._compare),
            ("export", self._browse_to_export),
            ("import", self._browse_to_import),
        ):
            self.buttons[name].clicked.connect(slot)
        self.refresh()

    @property
    def comparing(self) -> bool:
        """Whether two models are at work."""
        return self._job is not None and self._job.running

    def refresh(self) -> None:
        """List the versions anew; the chosen one stays."""
        kept = self.chosen()
        in_use = key_in_use()
        self.list.clear()
        for entry in list_models():
            refused = entry.card.get("promoted") is False
            mark = "  · in use" if entry.key == in_use else "  · not promoted" if refused else ""
            item = QListWidgetItem(f"{entry.key}{mark}")
            item.setData(Qt.ItemDataRole.UserRole, entry.key)
            item.setToolTip(tooltip(_about(entry)))
            self.list.addItem(item)
            if entry.key == (kept or in_use):
                self.list.setCurrentItem(item)
        row = max(self.list.sizeHintForRow(0), 16)
        self.list.setFixedHeight(min(max(self.list.count(), 1), _ROWS) * row + 6)
        self._on_chosen()

    def chosen(self) -> str:
        """Key of the version that is chosen in the list, "" if none is."""
        item = self.list.currentItem()
        return item.data(Qt.ItemDataRole.UserRole) if item is not None else ""

    def choose(self, key: str) -> None:
        """Choose a version."""
        for row in range(self.list.count()):
            if self.list.item(row).data(Qt.ItemDataRole.UserRole) == key:
                self.list.setCurrentRow(row)

    def export_to(self, path: Path) -> None:
        """Write the chosen version to a file."""
        self._guarded(lambda: export_model(self.chosen(), path, overwrite=True), f"Written to {path}.")

    def import_from(self, path: Path) -> None:
        """Add the version in a file."""
        self._guarded(lambda: import_model(path), lambda entry: f"{path.name} was added as {entry.key}.")

    def _on_chosen(self, *_: object) -> None:
        key = self.chosen()
        in_use = key_in_use()
        self.buttons["use"].setEnabled(bool(key) and key != in_use)
        if not self.comparing:
            self.buttons["compare"].setEnabled(self._can_compare())
        self.buttons["export"].setEnabled(bool(key))
        earlier = earlier_model()
        self.buttons["rollback"].setEnabled(earlier is not None)
        self.buttons["rollback"].setToolTip(
            tooltip(f"Use {earlier.key} again" if earlier else "No other model was used before")
        )
        if self.comparing:
            return  # what is said is how far that is
        try:
            entry = get_model(key) if key else None
        except SpineSegError:
            entry = None
        refused = entry is not None and entry.card.get("promoted") is False
        self._say(cost_of(entry) if refused else "", "warning" if refused else "muted")

    def _use(self) -> None:
        key = self.chosen()
        self._guarded(lambda: use_model(key), f"{key} is used now.")

    def _roll_back(self) -> None:
        self._guarded(rollback, lambda entry: f"{entry.key} is used again.")

    def _guarded(self, act: Callable[[], Any], words: str | Callable[[Any], str]) -> None:
        try:
            done = act()
        except SpineSegError as error:
            self._say(report(error), "error")
            return
        self.refresh()
        self.changed.emit()
        self._say(words if isinstance(words, str) else words(done), "muted")

    def _compare(self) -> None:
        """Compare, or stop comparing: one button, in one place."""
        if self.comparing:
            self._stop()
            return
        layer, key, in_use = self._session.scan, self.chosen(), key_in_use()
        if layer is None or in_use is None:
            return
        scan = scan_from_layer(layer)
        words = f"Comparing {in_use} and {key} on {layer.name}"

        def work(control: object) -> object:
            from napari_spineseg.learning.verdict.compare import compare_models

            return compare_models(scan, in_use, key, control=control)

        job = self._job = Job(work, f"Comparing on {layer.name}", owner=self)
        job.progressed.connect(lambda at: self._on_progress(words, at))
        job.returned.connect(lambda found: self._on_compared(found, layer))
        job.failed.connect(lambda error: self._say(report(error), "error"))
        job.stopped.connect(lambda: self._say("Stopped; nothing was compared.", "muted"))
        job.ended.connect(self._on_ended)
        self.buttons["compare"].setText("Stop")
        self._say(f"{words} …", "muted")
        job.start()

    def _stop(self) -> None:
        self._job.stop()
        self.buttons["compare"].setEnabled(False)
        self._say("Stopping after this tile …", "muted")

    def _on_progress(self, words: str, at: Progress) -> None:
        if not self._job.stopping:
            self._say(f"{words}: {at.stage}, {at.done} of {at.total}", "muted")

    def _on_ended(self) -> None:
        """The button means *Compare* again, if there still is something to compare."""
        button = self.buttons["compare"]
        button.setText("Compare")
        button.setEnabled(self._can_compare())

    def _can_compare(self) -> bool:
        return self._session.scan is not None and self.chosen() not in ("", key_in_use())

    def _on_compared(self, found: Comparison, layer: Image) -> None:
        self._say(_compared(found), "muted")
        there = layers_of(self._session.viewer)
        if layer not in there:
            return  # over another scan it would be another person's
        data, options, _ = layer_tuple_for_segmentation(found.difference)
        options |= placement_of(layer) | {"name": f"{layer.name}: difference", "opacity": _OPACITY}
        options["metadata"]["spineseg"]["kind"] = "preview"  # to look at; not a segmentation to correct
        for older in self._session.over(layer):
            older.visible = False  # among the colours of a whole segmentation a few voxels are not seen
        self._session.viewer.layers.insert(there.index(layer) + 1, Labels(data, **options))

    def _browse_to_export(self) -> None:
        dialog = QFileDialog(self, "Export model", f"{self.chosen().replace('@', '-')}.zip", "Model (*.zip)")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("zip")  # *Import…* lists no others
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda name: self.export_to(Path(name)))
        dialog.open()

    def _browse_to_import(self) -> None:
        dialog = QFileDialog(self, "Import model", "", "Model (*.zip)")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda name: self.import_from(Path(name)))
        dialog.open()

    def _say(self, text: str, role: str) -> None:
        give_role(self.words, role)
        self.words.say(text)


def _button(name: str, words: str, help_text: str) -> QPushButton:
    button = QPushButton(words)
    button.setObjectName(f"model_{name}")
    button.setToolTip(tooltip(help_text))
    return button


def key_in_use() -> str | None:
    """The version that is used where none is named; None if it cannot be read."""
    try:
        return get_model().key
    except SpineSegError:
        return None


def _compared(found: Comparison) -> str:
    """How far two models agree, and what the layer of their difference shows."""
    if not found.difference.labels.any():
        return found.sentence
    second = found.models[1].key
    return f"{found.sentence} The layer shows what {second} says instead; red-orange where it sees nothing."


def _about(entry: ModelEntry) -> str:
    parent = entry.card.get("parent")
    return f"{entry.title}" + (f"\nmade from {parent}" if parent else "")
