"""One job over many items: in processes, on Dask, and when they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import batch_kit
import pytest
from distributed import LocalCluster

from napari_spineseg import cluster
from napari_spineseg.errors import SettingsError


def wait_until(true, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        # One that has ended and that nobody asked about yet is as good as gone.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_every_item_is_done_in_another_process():
    assert sorted(cluster.here(batch_kit.double, range(5), at_once=2)) == [(n, 2 * n) for n in range(5)]
    assert list(cluster.here(batch_kit.double, [])) == []


def test_only_the_item_that_ends_its_process_is_lost():
    items = [1, batch_kit.FATAL, 2, 3]
    results = dict(cluster.here(batch_kit.double, items, at_once=2))
    lost = results.pop(batch_kit.FATAL)
    assert results == {1: 2, 2: 4, 3: 6}
    assert isinstance(lost, cluster.LostError)
    assert "memory" in str(lost)


def test_what_work_raises_is_raised_here():
    with pytest.raises(ValueError, match="not 7"):
        list(cluster.here(batch_kit.refuse, [7]))


def test_work_is_told_to_stop(tmp_path):
    results = cluster.here(batch_kit.wait_to_be_stopped, [tmp_path], at_once=1)
    signal.signal(signal.SIGALRM, _interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            _interrupted_once_begun(results, tmp_path)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    (mark,) = tmp_path.iterdir()
    assert not alive(int(mark.name.removeprefix("begun-")))


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _interrupted_once_begun(results, folder: Path) -> None:
    """Wait for a result that never comes, and be interrupted when work is under way."""

    def look(*_: object) -> None:
        if any(folder.iterdir()):
            raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, 0.2, 0.2)
    next(results)


def test_processes_end_with_the_one_that_started_them(tmp_path):
    script = (
        "import sys; from pathlib import Path; import batch_kit; from napari_spineseg import cluster\n"
        "if __name__ == '__main__':\n"
        "    next(cluster.here(batch_kit.wait_to_be_stopped, [Path(sys.argv[1])]))\n"
    )
    (tmp_path / "begun").mkdir()
    file = tmp_path / "script.py"
    file.write_text(script)
    path = os.pathsep.join([str(Path(batch_kit.__file__).parent), *filter(None, sys.path)])
    parent = subprocess.Popen(
        [sys.executable, file, tmp_path / "begun"], env=os.environ | {"PYTHONPATH": path}
    )
    wait_until(lambda: any((tmp_path / "begun").iterdir()))
    child = int(next((tmp_path / "begun").iterdir()).name.removeprefix("begun-"))
    parent.kill()
    parent.wait()
    wait_until(lambda: not alive(child))


@pytest.fixture(scope="module")
def scheduler():
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as local:
        yield local.scheduler_address


def test_dask_does_the_same(scheduler):
    assert sorted(cluster.on_cluster(batch_kit.double, range(4), scheduler)) == [(n, 2 * n) for n in range(4)]


def test_a_worker_with_another_version_is_refused(scheduler, monkeypatch):
    monkeypatch.setattr(cluster, "__version__", "99.0")
    with pytest.raises(SettingsError, match=r"install spineseg 99\.0 there"):
        next(cluster.on_cluster(batch_kit.double, [1], scheduler))


def test_a_scheduler_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(cluster, "_ANSWER_S", 1)
    with pytest.raises(SettingsError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        next(cluster.on_cluster(batch_kit.double, [1], "tcp://127.0.0.1:9"))


def test_waiting_for_a_worker_is_said():
    said: list[str] = []
    client = SimpleNamespace(run=lambda work: {})
    cluster._check_workers(client, "tcp://there", said.append)
    assert said == ["No worker has joined tcp://there yet; waiting for one."]


def test_dask_is_asked_for_by_name_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SettingsError, match=r"spineseg\[cluster\]"):
        next(cluster.on_cluster(batch_kit.double, [1], "tcp://127.0.0.1:9"))
