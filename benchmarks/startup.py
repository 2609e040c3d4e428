"""How long a person waits before anything happens, in new processes."""

from __future__ import annotations

import resource
import subprocess
import sys
import time

from benchmarks.figure import Figure

_BARE = "pass"
_MANIFEST = (
    "import npe2; m = npe2.PluginManager.instance(); m.discover()\n"
    "c = m.get_manifest('spineseg').contributions\n"
    "for hook in [*c.readers, *c.writers]: m.commands.get(hook.command)"
)


def measure(runs: int) -> list[Figure]:
    """Wall seconds over those of an interpreter that does nothing, and processor seconds as they are."""
    bare = [_seconds(_BARE)[0] for _ in range(runs)]
    return [
        Figure("import napari_spineseg", _over(bare, "import napari_spineseg", runs), "s", at_most=0.06),
        Figure("spineseg --help, whole process", _whole("['--help']", runs), "s", at_most=0.3),
        Figure("spineseg --help, processor time", _whole("['--help']", runs, processor=True), "s"),
        Figure("spineseg segment --help, whole process", _whole("['segment', '--help']", runs), "s"),
        Figure("readers (import napari_spineseg.io)", _over(bare, "import napari_spineseg.io", runs), "s"),
        Figure("manifest, readers and writers resolved", _over(bare, _MANIFEST, runs), "s"),
        Figure("import torch", _over(bare, "import torch", runs), "s"),
    ]


def _over(bare: list[float], code: str, runs: int) -> tuple[float, ...]:
    return tuple(max(0.0, _seconds(code)[0] - min(bare)) for _ in range(runs))


def _whole(words: str, runs: int, processor: bool = False) -> tuple[float, ...]:
    code = f"from napari_spineseg.cli import main; main({words})"
    return tuple(_seconds(code)[processor] for _ in range(runs))


def _seconds(code: str) -> tuple[float, float]:
    """(wall, processor) seconds of an interpreter that runs `code`."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
