"""The rules of the house that a machine can check."""

from __future__ import annotations

import ast
import email
import json
import os
import re
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from importlib.metadata import distribution
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "src" / "napari_spineseg"

# Each row may import from itself and from the rows above it, never from those below.
FLOORS = [
    {
        "errors",
        "acquisition",
        "progress",
        "files",
        "memory",
        "strict_json",
        "anatomy",
        "anatomy_maps",
        "anatomy_words",
        "grid",
        "scan",
    },
    {"core"},
    {"preprocessing", "instances", "synthesis"},
    {"io", "models", "datasets", "corrections", "measurement", "learning", "sample_data", "tumours"}
    | {"segment", "preprocess", "overview", "evaluation"},
    {"widgets", "cli", "cluster"},
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def room_of(path: Path) -> str:
    """The room a source file belongs to: its folder, or its own name at the top."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def sources() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def imports_of(path: Path) -> set[str]:
    """Every module that a file imports anywhere in it, inside functions too, with relative ones resolved."""
    found = set()
    package = ("napari_spineseg", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return found


def rooms_imported(path: Path) -> set[str]:
    """The rooms of the package that a file imports from."""
    parts = (name.split(".") for name in imports_of(path))
    return {p[1] for p in parts if p[0] == "napari_spineseg" and len(p) > 1} & (
        FLOOR_OF.keys() | unlisted_rooms()
    )


def unlisted_rooms() -> set[str]:
    return {room_of(path) for path in sources()} - FLOOR_OF.keys()


def test_every_room_has_a_floor():
    assert unlisted_rooms() == set()


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    upward = {room for room in rooms_imported(path) if FLOOR_OF[room] > FLOOR_OF[room_of(path)]}
    assert not upward, f"{room_of(path)} must not know {upward}"


def test_rooms_do_not_import_in_circles():
    graph = {room: set() for room in FLOOR_OF}
    for path in sources():
        graph[room_of(path)] |= rooms_imported(path) - {room_of(path)}

    def reach(room: str, seen: tuple[str, ...] = ()) -> None:
        assert room not in seen, " -> ".join((*seen, room))
        for other in sorted(graph[room]):
            reach(other, (*seen, room))

    for room in graph:
        reach(room)


@pytest.mark.parametrize("room", ["core", "instances", "preprocessing", "synthesis", "models", "datasets"])
def test_no_window_below_the_top(room):
    windows = {"napari", "qtpy", "magicgui", "superqt", "pyqtgraph", "PyQt6", "PySide6", "vispy"}
    for path in sources():
        if room_of(path) == room:
            assert not {name.split(".")[0] for name in imports_of(path)} & windows, path


def run_python(code: str) -> str:
    """Run `code` in an interpreter of its own and return what it printed."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "code",
    [
        "import napari_spineseg",
        "import napari_spineseg.io",
        "import napari_spineseg.models as m; m.list_models()",
        "import napari_spineseg.segment as s; s.SegmentSettings()",
        "import npe2; npe2.PluginManager.instance().discover(); "
        "npe2.PluginManager.instance().get_manifest('spineseg')",
    ],
)
def test_start_loads_no_torch(code):
    assert run_python(f"{code}\nimport sys; print('torch' in sys.modules)").strip() == "False"


def test_pages_open_without_what_takes_a_second_to_import():
    """A page is made in the window's own thread, at the click that opens it."""
    code = (
        "import sys\nfrom importlib import import_module\nfrom napari_spineseg.widgets.dock import PAGES\n"
        "for _, place in PAGES: import_module(place.partition(':')[0])\n"
        "print([name for name in ('torch', 'scipy.stats') if name in sys.modules])"
    )
    assert run_python(code).strip() == "[]"


def test_only_one_place_calls_functions_when_qt_deletes_something():
    """Elsewhere only methods, which Qt leaves alone once their object is gone: see widgets/lifetime.py."""
    calls = re.compile(r"\bdestroyed\.connect\((?!self\._)")
    assert [path.name for path in sources() if calls.search(path.read_text())] == ["lifetime.py"]


def test_no_timer_calls_a_lambda():
    """One that fires when its page has gone ends napari: Qt lets go of a widget's methods, not of lambdas."""
    found = [p.name for p in (PACKAGE / "widgets").rglob("*.py") if "timeout.connect(lambda" in p.read_text()]
    assert not found


def test_readers_and_writers_load_no_torch():
    """Every reader and writer of the manifest can be resolved without torch."""
    code = """
import sys, npe2
manager = npe2.PluginManager.instance(); manager.discover()
contributions = manager.get_manifest('spineseg').contributions
for hook in [*(contributions.readers or ()), *(contributions.writers or ())]:
    manager.commands.get(hook.command)
print('torch' in sys.modules)
"""
    assert run_python(code).strip() == "False"


def test_importing_the_package_is_quick():
    """Processor time, because the machine that tests may be busy."""
    code = "import time; t = time.process_time(); import napari_spineseg; print(time.process_time() - t)"
    assert min(float(run_python(code)) for _ in range(3)) < 0.060


def test_the_manifest_is_named_like_the_distribution():
    """napari matches the two letter by letter, and drops the whole plugin where they differ."""
    entry = next(e for e in distribution("spineseg").entry_points if e.group == "napari.manifest")
    manifest = yaml.safe_load((PACKAGE / "napari.yaml").read_text(encoding="utf-8"))
    assert manifest["name"] == entry.name == distribution("spineseg").metadata["Name"]
    assert {c["id"].split(".")[0] for c in manifest["contributions"].get("commands", [])} <= {
        manifest["name"]
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """The wheel, built from this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, timeout=120)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        yield archive


def test_the_wheel_carries_what_it_needs(wheel):
    names = wheel.namelist()
    info = next(name for name in names if name.endswith(".dist-info/METADATA"))
    metadata = email.message_from_bytes(wheel.read(info))
    manifest = yaml.safe_load(wheel.read("napari_spineseg/napari.yaml"))
    assert manifest["name"] == metadata["Name"] == "spineseg"
    scripts = ConfigParser()
    scripts.read_string(wheel.read(info.replace("METADATA", "entry_points.txt")).decode())
    assert scripts["console_scripts"]["spineseg"] == "napari_spineseg.cli:main"
    assert scripts["napari.manifest"]["spineseg"] == "napari_spineseg:napari.yaml"
    samples = {path.name for path in (REPOSITORY / "sample_data").iterdir()}
    assert {f"napari_spineseg/sample_data/{name}" for name in samples} <= set(names)
    assert not any(name.startswith(("tests/", "benchmarks/")) for name in names)


def test_each_bundled_model_is_small_and_has_its_card(wheel):
    weights = [i for i in wheel.infolist() if i.filename.endswith(".safetensors")]
    for info in weights:
        assert info.file_size <= 16 * 2**20, info.filename
        card = json.loads(wheel.read(info.filename.replace(".safetensors", ".json")))
        assert card["sha256"] and card["licence"] and card["attribution"], info.filename


def test_the_installed_package_is_what_tox_built():
    """Under tox the suite runs on the wheel, not on the source tree that it was built from."""
    import napari_spineseg

    if "TOX_ENV_NAME" in os.environ:
        assert REPOSITORY / "src" not in Path(napari_spineseg.__file__).parents
    else:
        assert Path(napari_spineseg.__file__).name == "__init__.py"
