"""What the Correct page has of a layer only while it is shown: the keys, the brush, the status bar."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from napari.layers import Labels
from qtpy.QtCore import QObject

from napari_spineseg.widgets.correct.brush import Brush
from napari_spineseg.widgets.correct.draw import DrawPanel
from napari_spineseg.widgets.correct.gestures import Gestures
from napari_spineseg.widgets.correct.keys import LayerKeys
from napari_spineseg.widgets.correct.status_keys import StatusKeys
from napari_spineseg.widgets.scheme import colour_as_named
from napari_spineseg.widgets.session import Session


class Hold:
    """On one layer at a time; napari has its own back when it is released.

    Attributes
    ----------
    brush
        Ours, on the layer that is held; None while none is.
    """

    def __init__(self, session: Session, draw: DrawPanel, gestures: Gestures, owner: QObject) -> None:
        self._session, self._draw, self._gestures = session, draw, gestures
        self._status_keys = StatusKeys(session, owner)
        self._layer: Labels | None = None
        self._keys: LayerKeys | None = None
        self.brush: Brush | None = None

    @property
    def taken(self) -> bool:
        """Whether a layer is held."""
        return self._layer is not None

    def take(self, layer: Labels, actions: Mapping[str, Callable[[], object]]) -> None:
        """Hold `layer`: keys do `actions`."""
        self._layer = layer
        colour_as_named(layer)
        self.brush = Brush(layer)
        self._keys = LayerKeys(layer, actions)
        self._status_keys.take(layer)
        self._draw.show_layer(layer, self.brush)
        self._gestures.fix.start(layer)

    def release(self) -> None:
        """Hold nothing. A tool that waits for clicks waits no more."""
        self._gestures.stop()
        self._gestures.fix.stop()
        layer, self._layer = self._layer, None
        if layer is None:
            return
        self._keys.release()
        self._status_keys.release()
        self.brush.release()
        self._keys = self.brush = None
        self._draw.show_layer(None, None)
        if (history := self._session.histories.get(layer)) is not None:
            history.bind()  # undo keys work on every page
