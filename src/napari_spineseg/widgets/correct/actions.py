"""What every row of the key table does on the Correct page."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from napari_spineseg.widgets.correct.gestures import WAITING
from napari_spineseg.widgets.correct.help import show_help
from napari_spineseg.widgets.correct.keys import RECENT
from napari_spineseg.widgets.correct.tools import TOOLS

if TYPE_CHECKING:
    from napari_spineseg.widgets.correct.page import CorrectPage

_MODES = {"paint": "paint", "erase": "erase", "fill": "fill", "pick": "pick", "move": "pan_zoom"}


def actions_of(page: CorrectPage) -> dict[str, Callable[[], object]]:
    """The functions of `keys.CORRECT_KEYS`, by the name of the action."""
    recent = range(1, RECENT + 1)
    draw, picker = page.draw, page.picker
    told = partial(_told, page)
    return {
        **{action: partial(page.set_mode, mode) for action, mode in _MODES.items()},
        **{action: partial(page.run_tool, action) for action in TOOLS},
        **{action: partial(page.start_clicks, action) for action in WAITING},
        "carry": page.carry.run,
        **{
            f"recent_{place}": told(partial(picker.take_recent, place), lambda: picker.in_words)
            for place in recent
        },
        "smaller_brush": told(partial(draw.change_size, -1), lambda: draw.size_in_words),
        "larger_brush": told(partial(draw.change_size, 1), lambda: draw.size_in_words),
        "brush_3d": told(draw.toggle_3d, lambda: draw.depth_in_words),
        "confine": told(draw.next_confine, lambda: draw.confine_in_words),
        "relabel": page.column.open,
        "next": partial(page.doubts.step, 1),
        "previous": partial(page.doubts.step, -1),
        "fine": page.doubts.looks_fine,
        "undo": lambda: page.history and page.history.undo(),
        "redo": lambda: page.history and page.history.redo(),
        "save": page.save,
        "linked": page.linked.toggle,
        "help": partial(show_help, page),
    }


def _told(page: CorrectPage, act: Callable[[], object], words: Callable[[], str]) -> Callable[[], None]:
    """`act`, and what it set in words: the control that shows it may be scrolled out of sight."""

    def done() -> None:
        act()
        if page.layer is not None:
            page.say(words())

    return done
