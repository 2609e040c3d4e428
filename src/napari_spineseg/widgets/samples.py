"""Opening one of the sample scans that come with the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import npe2

if TYPE_CHECKING:
    from napari.viewer import Viewer

PLUGIN = "spineseg"


def open_first_sample(viewer: Viewer) -> None:
    """Open the first sample of the manifest, as File > Open Sample does."""
    manifest = npe2.PluginManager.instance().get_manifest(PLUGIN)
    viewer.open_sample(PLUGIN, manifest.contributions.sample_data[0].key)
