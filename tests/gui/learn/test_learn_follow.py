"""What a run says in one breath reaches the page in portions."""

from __future__ import annotations

import time

from qtpy.QtCore import QTimer

from napari_spineseg.learning.run.client import LearningRun
from napari_spineseg.learning.run.events import NoteEvent, StateEvent
from napari_spineseg.learning.run.folder import RunFolder
from napari_spineseg.learning.settings import LearnSettings
from napari_spineseg.widgets.learn.follow import RunFollower


def test_the_window_turns_between_what_was_said_at_once(spineseg_home, tmp_path, model, qtbot):
    folder = RunFolder.create(LearnSettings(corrections=tmp_path, model="toy"))
    for number in range(8):
        folder.say(NoteEvent(sentence=str(number)))
    folder.say(StateEvent(phase="finished"))
    parent = QTimer()
    follower = RunFollower(parent)
    heard, turns = [], []

    def slow(event) -> None:
        time.sleep(0.012)  # longer than a portion
        heard.append((event, len(turns)))

    ticking = QTimer(parent, interval=1)
    ticking.timeout.connect(lambda: turns.append(None))
    ticking.start()
    follower.said.connect(slow)
    with qtbot.waitSignal(follower.ended) as ended:
        follower.follow(LearningRun(folder))
    assert ended.args == ["finished"] and not follower.active
    assert [e.sentence for e, _ in heard[:-1]] == [str(n) for n in range(8)]
    assert isinstance(heard[-1][0], StateEvent)
    assert len({turn for _, turn in heard}) == len(heard)
