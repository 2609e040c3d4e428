"""Standard streams that are closed, full, or have nobody at their other end."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from napari_spineseg.errors import OutputError


def open_missing_streams() -> None:
    """Give a process that was started without some of its three streams ones that lead nowhere.

    Otherwise the next file that is opened takes their place, and what is printed ends up in it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is what `open` returns, so it is this one.
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            stream = open(os.devnull, "w" if number else "r", encoding="utf-8")  # noqa: SIM115
            setattr(sys, name, stream)


def print_line(line: str, stream: TextIO) -> bool:
    """Print `line`; returns whether somebody still reads `stream`.

    Where its reader has left (`| head`), this line and those after it go nowhere.

    Raises
    ------
    OutputError
        If it cannot be written for another reason, a full disk for instance.
    """
    try:
        print(line, file=stream, flush=True)
    except BrokenPipeError:
        _silence(stream)
        return False
    except OSError as error:
        _silence(stream)
        reason = error.strerror or error
        raise OutputError(f"What there is to say cannot be printed ({reason}); look to the output.") from None
    return True


def _silence(stream: TextIO) -> None:
    """Let `stream` lead nowhere from now on, with what it still holds back."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    finally:
        os.close(nowhere)
