"""What happens when Qt deletes a widget."""

from __future__ import annotations

import subprocess
import sys

from psygnal import Signal
from qtpy.QtCore import QObject

from napari_spineseg.widgets.lifetime import at_end_of, while_alive


class Source:
    told = Signal(str)


class Listener(QObject):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []
        self.ends = 0

    def hear(self, words: str) -> None:
        self.heard.append(words)

    def end(self) -> None:
        self.ends += 1


def test_a_signal_is_heard_until_qt_deletes_the_widget(qtbot):
    source, listener = Source(), Listener()
    while_alive(listener, source.told, listener.hear)
    source.told.emit("before")
    with qtbot.waitSignal(listener.destroyed):
        listener.deleteLater()
    source.told.emit("after")
    assert listener.heard == ["before"]
    assert len(source.told) == 0


def test_a_method_is_called_once_when_qt_deletes_the_widget(qtbot):
    widget, listener = QObject(), Listener()
    at_end_of(widget, listener.end)
    widget.deleteLater()
    qtbot.waitUntil(lambda: listener.ends > 0)
    qtbot.wait(20)
    assert listener.ends == 1


def test_a_widget_that_nobody_holds_goes_and_is_forgotten_by_the_signal(qtbot):
    source = Source()
    listener = Listener()
    while_alive(listener, source.told, listener.hear)
    at_end_of(listener, listener.end)
    del listener
    source.told.emit("to nobody")
    assert len(source.told) == 0


_IN_LIFETIME = """
def connect(listener, source):
    while_alive(listener, source.told, listener.hear)
    at_end_of(listener, listener.end)
"""

_IN_FUNCTIONS = """
def connect(listener, source):
    listener.destroyed.connect(lambda: listener.end())
"""

_COLLECTED_ELSEWHERE = """
import gc, threading
from psygnal import Signal
from qtpy.QtCore import QCoreApplication, QEvent, QObject
from napari_spineseg.widgets.lifetime import at_end_of, while_alive

class Source:
    told = Signal(str)

class Listener(QObject):
    def hear(self, words): ...
    def end(self): ...

class Holder: ...

def orphan(source):
    holder, listener = Holder(), Listener()
    connect(listener, source)
    # The collector empties what it came upon first: here the holder, then what Qt calls, then the listener.
    holder.called, holder.deep, listener.holder = gc.get_referents(listener), [[[listener]]], holder
    del listener
    gc.collect()

gc.disable()
app, source = QCoreApplication([]), Source()
for _ in range(20):
    orphan(source)
    collector = threading.Thread(target=gc.collect)
    collector.start()
    collector.join()
    app.sendPostedEvents(None, QEvent.Type.DeferredDelete)
source.told.emit("to nobody")
print(len(source.told))
"""


def collected_elsewhere(connect: str) -> subprocess.CompletedProcess[str]:
    code = connect + _COLLECTED_ELSEWHERE
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_widgets_collected_in_another_thread_are_deleted_without_a_crash():
    done = collected_elsewhere(_IN_LIFETIME)
    assert (done.returncode, done.stdout.strip()) == (0, "0"), done.stderr


def test_functions_held_by_such_widgets_would_crash():
    """Else the test above shows nothing."""
    assert collected_elsewhere(_IN_FUNCTIONS).returncode < 0
