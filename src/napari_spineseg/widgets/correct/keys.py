"""One table of keys: the layer, the page and the help sheet are all made from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from napari.layers import Layer
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QWidget


@dataclass(frozen=True)
class Key:
    """One action and how to reach it without a mouse.

    Attributes
    ----------
    action
        Its name in the program.
    key
        As napari writes keys: "Shift-N", "Control-Z".
    words
        What it does, for a person.
    group
        Its heading on the help sheet.
    """

    action: str
    key: str
    words: str
    group: str

    @property
    def sequence(self) -> QKeySequence:
        """The same key for Qt."""
        *modifiers, last = self.key.split("-") if len(self.key) > 1 else [self.key]
        names = {"Control": "Ctrl", "Enter": "Return"}
        return QKeySequence("+".join(names.get(part, part) for part in (*modifiers, last)))

    @property
    def text(self) -> str:
        """As a person reads it, on their system."""
        return self.sequence.toString(QKeySequence.SequenceFormat.NativeText) or self.key


_DRAW, _STRUCTURE, _SHAPE, _COLUMN = "Draw", "Structure", "Shape", "Column"
_PLACES, _ALL = "Where to look next", "Everything"

_RECENT = ("last", "before that", "third last", "fourth last", "fifth last")
RECENT = len(_RECENT)
"""How many of the structures used last have a key of their own."""

CORRECT_KEYS: tuple[Key, ...] = (
    Key("paint", "P", "Paint", _DRAW),
    Key("erase", "E", "Erase", _DRAW),
    Key("fill", "F", "Fill an area", _DRAW),
    Key("pick", "L", "Take the structure under the mouse", _DRAW),
    Key("move", "Z", "Move the view", _DRAW),
    Key("fix", "C", "Click to fix: left click adds, right click removes", _DRAW),
    Key("smaller_brush", "[", "Smaller brush", _DRAW),
    Key("larger_brush", "]", "Larger brush", _DRAW),
    Key("brush_3d", "D", "Brush on one slice, or through several", _DRAW),
    Key("confine", "B", "Change what may be painted over", _DRAW),
    *(
        Key(f"recent_{n}", str(n), f"Structure used {words}", _STRUCTURE)
        for n, words in enumerate(_RECENT, 1)
    ),
    Key("carry", "G", "Carry the corrected slices over to the others", _SHAPE),
    Key("fill_between", "I", "Fill the slices in between", _SHAPE),
    Key("grow", "=", "Grow by a pixel", _SHAPE),
    Key("shrink", "-", "Shrink by a pixel", _SHAPE),
    Key("smooth", "S", "Smooth", _SHAPE),
    Key("fill_holes", "H", "Fill holes", _SHAPE),
    Key("snap", "A", "Move the outline to the nearest edge", _SHAPE),
    Key("copy_previous", ",", "Copy from the slice before", _SHAPE),
    Key("copy_next", ".", "Copy from the slice after", _SHAPE),
    Key("keep_largest", "K", "Keep the largest piece, on all slices", _SHAPE),
    Key("erase_islands", "U", "Erase islands of all structures, on all slices", _SHAPE),
    Key("erase_structure", "X", "Erase all of the structure", _SHAPE),
    Key("split", "T", "Split: click once in each part", _COLUMN),
    Key("split_line", "Shift-T", "Split along a line: drag across", _COLUMN),
    Key("merge", "M", "Merge: click the other part", _COLUMN),
    Key("relabel", "R", "Say which level it is", _COLUMN),
    Key("next", "N", "Next doubtful place", _PLACES),
    Key("previous", "Shift-N", "Previous doubtful place", _PLACES),
    Key("fine", "Y", "Looks fine", _PLACES),
    Key("undo", "Control-Z", "Undo", _ALL),
    Key("redo", "Control-Shift-Z", "Redo", _ALL),
    Key("save", "Control-Enter", "Save a version", _ALL),
    Key("linked", "O", "Axial and coronal views", _ALL),
    Key("help", "F1", "This sheet", _ALL),
)


def key_of(action: str, table: Iterable[Key] = CORRECT_KEYS) -> Key:
    """The row of an action."""
    return next(key for key in table if key.action == action)


class LayerKeys:
    """The table bound to one layer, until `release`. napari's own keys of that layer come back then."""

    def __init__(
        self, layer: Layer, actions: Mapping[str, Callable[[], object]], table: Iterable[Key] = CORRECT_KEYS
    ) -> None:
        self._layer, self._keys = layer, [key.key for key in table]
        for key in table:
            layer.bind_key(key.key, _on_key(actions[key.action]), overwrite=True)

    def release(self) -> None:
        """Unbind."""
        for key in self._keys:
            self._layer.bind_key(key, None)


def add_shortcuts(
    page: QWidget, actions: Mapping[str, Callable[[], object]], table: Iterable[Key] = CORRECT_KEYS
) -> list[QShortcut]:
    """The table for while the focus is on the page and not on the canvas."""
    out = []
    for key in table:
        shortcut = QShortcut(key.sequence, page)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(actions[key.action])
        out.append(shortcut)
    return out


def _on_key(action: Callable[[], object]) -> Callable[[Layer], None]:
    # napari wants a function with a name, and takes what it returns as something to run on release.
    def pressed(layer: Layer) -> None:
        action()

    return pressed
