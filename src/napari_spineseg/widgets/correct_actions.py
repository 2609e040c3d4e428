"""What every row of the key table does on the Correct page."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from napari_spineseg.widgets.correct_gestures import WAITING
from napari_spineseg.widgets.correct_tools import TOOLS
from napari_spineseg.widgets.keys import RECENT

if TYPE_CHECKING:
    from napari_spineseg.widgets.correct_page import CorrectPage

_MODES = {"paint": "paint", "erase": "erase", "fill": "fill", "pick": "pick", "move": "pan_zoom"}


def actions_of(page: CorrectPage) -> dict[str, Callable[[], object]]:
    """The functions of `keys.CORRECT_KEYS`, by the name of the action."""
    recent = range(1, RECENT + 1)
    return {
        **{action: partial(page.set_mode, mode) for action, mode in _MODES.items()},
        **{action: partial(page.run_tool, action) for action in TOOLS},
        **{action: partial(page.start_clicks, action) for action in WAITING},
        "carry": page.carry.run,
        **{f"recent_{place}": partial(page.picker.take_recent, place) for place in recent},
        "smaller_brush": partial(page.draw.change_size, -1),
        "larger_brush": partial(page.draw.change_size, 1),
        "brush_3d": page.draw.toggle_3d,
        "confine": page.draw.next_confine,
        "relabel": page.column.open,
        "next": partial(page.doubts.step, 1),
        "previous": partial(page.doubts.step, -1),
        "fine": page.doubts.looks_fine,
        "undo": lambda: page.history and page.history.undo(),
        "redo": lambda: page.history and page.history.redo(),
        "save": page.save,
        "linked": page.linked.toggle,
        "help": page.show_help,
    }
