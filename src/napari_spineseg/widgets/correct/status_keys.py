"""Keys in the status bar: napari names its own there, and on the page they mean something else."""

from __future__ import annotations

from napari.layers import Labels
from qtpy.QtCore import QObject

from napari_spineseg.widgets.correct.keys import RECENT, key_of
from napari_spineseg.widgets.lifetime import while_alive
from napari_spineseg.widgets.session import Session, unwrapped


class StatusKeys(QObject):
    """Says the page's keys in place of napari's, while the page has them and its layer is selected."""

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._layer: Labels | None = None
        while_alive(self, session.viewer.events.help, self._say)

    def take(self, layer: Labels) -> None:
        """The page's keys are bound to `layer`."""
        self._layer = layer
        self._say()

    def release(self) -> None:
        """They are napari's again."""
        if self._layer is None or not self._session.open:
            return
        self._layer = None
        active = self._session.viewer.layers.selection.active
        self._session.viewer.help = active.help if active is not None else ""

    def _say(self, event: object = None) -> None:
        """napari writes its own with each change of tool or layer."""
        viewer = self._session.viewer
        if self._layer is not None and unwrapped(viewer.layers.selection.active) is self._layer:
            viewer.help = in_words()


def in_words() -> str:
    """The keys that are used most.

    >>> in_words()
    'use P to paint, E to erase, 1 to 5 for the structures used last, F1 for all keys'
    """
    paint, erase, sheet = (key_of(action).text for action in ("paint", "erase", "help"))
    recent = f"1 to {RECENT} for the structures used last"
    # Without napari's brackets: <P> begins a paragraph, and the rest would be below the edge.
    return f"use {paint} to paint, {erase} to erase, {recent}, {sheet} for all keys"
