"""The networks, by the name that a model card gives them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from torch import nn

from napari_spineseg.errors import ModelError

NETWORKS = {
    "spine_net": ("spine_net", "SpineNet"),
    "modified_unet": ("modified_unet", "ModifiedUNet"),
    "penn": ("penn", "PENN"),
}


def build_network(name: str, arguments: dict[str, Any] | None = None) -> nn.Module:
    """Build an untrained network by name.

    Raises
    ------
    ModelError
        If there is no such network, or it does not take these arguments.
    """
    if name not in NETWORKS:
        raise ModelError(f"There is no network called {name!r}; known are {', '.join(NETWORKS)}.")
    module, cls = NETWORKS[name]
    try:
        return getattr(import_module(f"{__name__}.{module}"), cls)(**(arguments or {}))
    except (ModuleNotFoundError, TypeError) as error:
        raise ModelError(f"Network {name} cannot be built: {error}.") from error
