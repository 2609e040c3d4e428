"""A command that starts and ends sooner: less garbage looked for, and nothing imported that it never uses.

Most of a short command is start-up, and most of that is `import torch`. Everything here is for a process
of our own; in napari's, where other plugins live, nothing is changed.
"""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

# Imports make half a million objects that stay; looking through them every 700 new ones finds nothing.
_OBJECTS_BETWEEN_COLLECTIONS = 100_000

NOT_WANTED = {
    # What parses a DICOM header inside a NIfTI file, which is never asked for; it brings in an HTTP client.
    "pydicom": "nibabel",
    # Shapes of results without computing them, for compilers. Our networks are run as they are.
    "torch._meta_registrations": "torch",
}
"""Modules that running a network does without, and the package that imports each in passing."""


def collect_less() -> None:
    """Look for garbage more seldom, and not at all in what is left when the process ends."""
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    atexit.register(gc.freeze)


def leave_out_unused() -> None:
    """Do without `NOT_WANTED` modules that have not been imported yet.

    Only for commands that run networks and train none.
    """
    if not any(isinstance(finder, _LeftOut) for finder in sys.meta_path):
        sys.meta_path.insert(0, _LeftOut())


class _LeftOut(MetaPathFinder, Loader):
    """Hides a module from the package that would import it in passing, and from nobody else.

    A part of that package is an empty module then; another package is one that is not installed, which
    whoever needs it can import later.
    """

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package = NOT_WANTED.get(name)
        if package is None or not _being_imported(package):
            return None
        if name.startswith(f"{package}."):
            return ModuleSpec(name, self)
        raise ModuleNotFoundError(f"{name} was left out", name=name)

    def create_module(self, spec: ModuleSpec) -> None:
        """Python's own kind of module."""

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to fill it with."""


def _being_imported(package: str) -> bool:
    spec = getattr(sys.modules.get(package), "__spec__", None)
    return getattr(spec, "_initializing", False)
