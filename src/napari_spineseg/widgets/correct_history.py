"""Undo and redo of one labels layer: voxels, and the names that go with them, in the same order.

napari keeps the voxels. Which numbers mean which levels (six lumbar vertebrae, T13) is no voxel, so
that steps are counted here and the numbering comes back with them.
"""

from __future__ import annotations

from dataclasses import dataclass

from napari.layers import Labels

from napari_spineseg.anatomy import Numbering, names_of
from napari_spineseg.corrections.edit import Edit
from napari_spineseg.widgets.legend import scheme_of
from napari_spineseg.widgets.session import KEY, about

# As many as napari keeps of a layer.
_DEPTH = 100


@dataclass(frozen=True)
class _Step:
    voxels: bool
    before: Numbering
    after: Numbering


class History:
    """What can be undone on `layer`. Make one a layer, and keep it: it owns the layer's undo keys."""

    def __init__(self, layer: Labels) -> None:
        self._layer = layer
        self._past: list[_Step] = []
        self._future: list[_Step] = []
        self._quiet = False
        self._pending: Numbering | None = None
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
        return bool(self._past)

    def apply(self, edit: Edit, numbering: Numbering | None = None) -> bool:
        """Make an edit one step. False if it changes nothing."""
        changes_names = numbering is not None and numbering != self.numbering
        if len(edit):
            self._pending = numbering
            try:
                with self._layer.block_history():
                    self._layer.data_setitem(edit.index, edit.values.astype(self._layer.data.dtype))
            finally:
                self._pending = None
            return True
        if changes_names:
            self._push(_Step(False, self.numbering, numbering))
            self._rename(numbering)
            self._tell()
        return changes_names

    def undo(self) -> bool:
        """Take the last step back. False if there is none."""
        return self._move(self._past, self._future, undoing=True)

    def redo(self) -> bool:
        """Make a step that was taken back again."""
        return self._move(self._future, self._past, undoing=False)

    def _move(self, source: list[_Step], target: list[_Step], undoing: bool) -> bool:
        if not source:
            return False
        step = source.pop()
        target.append(step)
        if step.voxels:
            self._layer.undo() if undoing else self._layer.redo()
        self._rename(step.before if undoing else step.after)
        self._tell()
        return True

    def _on_paint(self, event: object) -> None:
        """Whoever painted, a step was added to the layer's own history."""
        if self._quiet:
            return
        before, after = self.numbering, self._pending or self.numbering
        self._push(_Step(True, before, after))
        self._rename(after)

    def _on_replaced(self, event: object) -> None:
        """Other voxels altogether: napari would write the old ones back into them."""
        self._past.clear()
        self._future.clear()
        editable = self._layer.editable
        self._layer.editable = False  # which is when napari forgets its history
        self._layer.editable = editable

    def _push(self, step: _Step) -> None:
        self._future.clear()
        self._past.append(step)
        if sum(s.voxels for s in self._past) > _DEPTH:
            del self._past[0]

    def _rename(self, numbering: Numbering) -> None:
        if numbering == self.numbering:
            return
        rename(self._layer, numbering)

    def _tell(self) -> None:
        """napari says nothing when it undoes; legend and autosave want to know."""
        self._quiet = True
        try:
            self._layer.events.paint(value=[])
        finally:
            self._quiet = False


def rename(layer: Labels, numbering: Numbering) -> None:
    """Give the layer another numbering: its metadata, and the names in the status bar."""
    said = {"lumbar": numbering.lumbar, "thoracic": numbering.thoracic}
    layer.metadata[KEY] = {**about(layer), "numbering": said}
    if "index" in layer.features:
        scheme, _ = scheme_of(layer)
        numbers = [int(n) for n in layer.features["index"]]
        layer.features = {"index": numbers, "name": list(names_of(numbers, scheme, numbering).values())}


def _nothing(_: object) -> None:
    """napari takes what a key's function returns as something to run on release."""
