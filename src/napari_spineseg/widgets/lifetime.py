"""What has to happen when Qt deletes a widget. The one place that connects functions to `destroyed`.

A function that only a widget holds may be emptied by Python's garbage collector while the widget itself is
still to be deleted, which Qt does later where the collector ran in another thread. Called then, it takes
the process with it. So what is called here is held outside the widget for as long as the widget lives.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import WeakMethod, finalize

from psygnal import SignalInstance
from qtpy.QtCore import QObject


def while_alive(widget: QObject, signal: SignalInstance, slot: Callable[..., object]) -> None:
    """Connect `signal` to a method of `widget`, until Qt deletes the widget.

    A Python signal does not notice that: it would go on calling into a widget that is no more.
    """
    signal.connect(slot)
    _when_deleted(widget, partial(_disconnect, signal, WeakMethod(slot)))


def at_end_of(widget: QObject, method: Callable[[], object]) -> None:
    """Call `method`, a bound one, when Qt deletes `widget`, if Python still has the object it is bound to."""
    _when_deleted(widget, partial(_call, WeakMethod(method)))


def _when_deleted(widget: QObject, action: Callable[..., None]) -> None:
    """`action` must not hold the widget, which would keep it for ever."""
    finalize(widget, _let_go, action).atexit = False
    widget.destroyed.connect(action)


def _disconnect(signal: SignalInstance, slot: WeakMethod[Any], *_: object) -> None:
    if (method := slot()) is not None:  # else the signal has lost it by itself
        signal.disconnect(method)


def _call(method: WeakMethod[Any], *_: object) -> None:
    if (bound := method()) is not None:
        bound()


def _let_go(_: object) -> None:
    """The wrapper is gone, and `finalize` has held what it was given for long enough."""
