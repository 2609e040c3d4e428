"""Undo and redo of one labels layer: voxels, and what is said of them, in the same order.

napari keeps the voxels. Which numbers mean which levels (six lumbar vertebrae, T13), and what the card
says of them, is no voxel, so that steps are counted here and the words come back with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from napari.layers import Labels
from psygnal import Signal

from napari_spineseg.anatomy import Numbering, Structure, names_of, structure_of
from napari_spineseg.corrections.edit import Edit
from napari_spineseg.widgets.known import KEY, about
from napari_spineseg.widgets.legend import scheme_of
from napari_spineseg.widgets.session import Session, layers_of

# As many as napari keeps of a layer.
_DEPTH = 100

Said = Mapping[str, Any]
"""What the layer's metadata says of its labels, under the keys below."""
_SAID = ("numbering", "warnings", "numberings", "chosen", "provenance")
_BY_HAND = {"paint": "painted {}", "fill": "filled an area with {}", "polygon": "drew an outline of {}"}
"""What a stroke did, by the layer's mode; without a structure to paint with it erased."""


@dataclass(frozen=True, eq=False)
class _Step:
    voxels: bool
    before: Said
    after: Said
    words: str = ""
    """What it did; empty where that is not known."""


class History:
    """What can be undone on `layer`. Make one a layer, and keep it: it owns the layer's undo keys."""

    changed = Signal()
    """A step was made, taken back or made again."""
    told = Signal(str)
    """What was taken back or made again, or that there is nothing, in words."""

    def __init__(self, layer: Labels) -> None:
        self._layer = layer
        self._past: list[_Step] = []
        self._future: list[_Step] = []
        self._quiet = False
        self._pending: _Step | None = None
        layer.events.paint.connect(self._on_paint)
        layer.events.data.connect(self._on_replaced)
        self.bind()

    def bind(self) -> None:
        """Take the layer's undo keys, also while the page is not shown."""
        self._layer.bind_key("Control-Z", lambda _: _nothing(self.undo()), overwrite=True)
        self._layer.bind_key("Control-Shift-Z", lambda _: _nothing(self.redo()), overwrite=True)

    @property
    def numbering(self) -> Numbering:
        """The layer's numbering."""
        return scheme_of(self._layer)[1]

    @property
    def can_undo(self) -> bool:
        """Whether there is anything to undo."""
        return bool(self._past) or self._older(undoing=True) is not None

    @property
    def can_redo(self) -> bool:
        """Whether anything was taken back that can be made again."""
        return bool(self._future) or self._older(undoing=False) is not None

    @property
    def last(self) -> object | None:
        """The step that `undo` would take back, to be told from others; None if there is none."""
        return self._past[-1] if self._past else None

    def apply(self, edit: Edit, said: Said | None = None) -> bool:
        """Make an edit one step, with what is said of the labels from then on. False without a change."""
        before = self._said()
        after = {**before, **(said or {})}
        if len(edit):
            self._pending = _Step(True, before, after, edit.words)
            try:
                with self._layer.block_history():
                    self._layer.data_setitem(edit.index, edit.values.astype(self._layer.data.dtype))
            finally:
                self._pending = None
            return True
        if after == before:
            return False
        self._push(_Step(False, before, after, "Renamed."))
        _say(self._layer, after)
        self._tell()
        return True

    def undo(self) -> bool:
        """Take the last step back. False if there is none."""
        return self._move(self._past, self._future, undoing=True)

    def redo(self) -> bool:
        """Make a step that was taken back again."""
        return self._move(self._future, self._past, undoing=False)

    def _move(self, source: list[_Step], target: list[_Step], undoing: bool) -> bool:
        step = source.pop() if source else self._older(undoing)
        if step is None:
            self.told.emit(f"There is nothing to {'undo' if undoing else 'redo'}.")
            return False
        target.append(step)
        if step.voxels:
            self._layer.undo() if undoing else self._layer.redo()
        _say(self._layer, step.before if undoing else step.after)
        self._tell()
        self.told.emit(_moved(step.words, undoing))
        return True

    def _older(self, undoing: bool) -> _Step | None:
        """A step that napari took before steps were counted here; None if there is none."""
        theirs = getattr(self._layer, "_undo_history" if undoing else "_redo_history", ())
        said = self._said()
        return _Step(True, said, said) if theirs else None

    def _on_paint(self, event: object) -> None:
        """Whoever painted, a step was added to the layer's own history."""
        if self._quiet:
            return
        before = self._said()
        step = self._pending or _Step(True, before, before, self._by_hand())
        self._push(step)
        _say(self._layer, step.after)

    def _by_hand(self) -> str:
        """What a stroke that has just ended did."""
        mode, label = str(self._layer.mode), int(self._layer.selected_label)
        if mode == "erase" or (mode in _BY_HAND and not label):
            return "erased"
        scheme, numbering = scheme_of(self._layer)
        return _BY_HAND.get(mode, "").format(names_of([label], scheme, numbering)[label])

    def _on_replaced(self, event: object) -> None:
        """Other voxels altogether: napari would write the old ones back into them."""
        self._past.clear()
        self._future.clear()
        self.changed.emit()
        editable = self._layer.editable
        self._layer.editable = False  # which is when napari forgets its history
        self._layer.editable = editable

    def _push(self, step: _Step) -> None:
        self._future.clear()
        self._past.append(step)
        if sum(s.voxels for s in self._past) > _DEPTH:
            del self._past[0]
        self.changed.emit()

    def _said(self) -> Said:
        known = {key: about(self._layer).get(key) for key in _SAID}
        return {**known, **as_said(self.numbering)}

    def _tell(self) -> None:
        """napari says nothing when it undoes; legend and autosave want to know."""
        self._quiet = True
        try:
            self._layer.events.paint(value=[])
        finally:
            self._quiet = False
        self.changed.emit()


def history_of(session: Session, layer: Labels) -> History:
    """The one history of `layer` in this window, whichever page asks first."""
    forget_closed(session)
    if layer not in session.histories:
        session.histories[layer] = History(layer)
        session.histories[layer].told.connect(session.tell)
    return session.histories[layer]


def forget_closed(session: Session) -> None:
    """Let the histories of layers go that are closed, and the layers with them."""
    there = layers_of(session.viewer) if session.open else ()
    session.histories = {known: kept for known, kept in session.histories.items() if known in there}


def _say(layer: Labels, said: Said) -> None:
    """Write what is said of the labels: into the metadata, and the names into the status bar's table."""
    (scheme, before), moved = scheme_of(layer), _moved_by(about(layer))
    layer.metadata[KEY] = {**about(layer), **{key: v for key, v in said.items() if v is not None}}
    for key in (key for key, value in said.items() if value is None):
        layer.metadata[KEY].pop(key, None)
    _, numbering = scheme_of(layer)
    if numbering != before and "index" in layer.features:
        numbers = [int(n) for n in layer.features["index"]]
        layer.features = {"index": numbers, "name": list(names_of(numbers, scheme, numbering).values())}
    _choose_again(layer, _moved_by(about(layer)) - moved)


def _moved_by(said: Said) -> int:
    """By how much all numbers were moved since the model gave them."""
    return ((said.get("provenance") or {}).get("numbering_chosen") or {}).get("shift", 0)


def _choose_again(layer: Labels, shift: int) -> None:
    """The structure to draw with stays the same piece of the column when its number becomes another."""
    label = int(layer.selected_label)
    kind = structure_of(label)
    if shift and kind in (Structure.VERTEBRA, Structure.DISC) and structure_of(label + shift) is kind:
        layer.selected_label = label + shift


def _moved(words: str, undoing: bool) -> str:
    """A step that was taken back or made again, in words.

    >>> _moved("Grew by 1.5 mm.", True), _moved("L4 is L5.", False), _moved("", True)
    ('Undone: grew by 1.5 mm.', 'Redone: L4 is L5.', 'Undone.')
    """
    did = "Undone" if undoing else "Redone"
    if not words:
        return f"{did}."
    if words[1:2].islower():  # names of levels keep their capitals
        words = words[:1].lower() + words[1:]
    return f"{did}: {words.removesuffix('.')}."


def as_said(numbering: Numbering) -> Said:
    """A numbering as a layer's metadata says it."""
    return {"numbering": {"lumbar": numbering.lumbar, "thoracic": numbering.thoracic}}


def _nothing(_: object) -> None:
    """napari takes what a key's function returns as something to run on release."""
