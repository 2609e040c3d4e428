"""The models there are: those that come with the package and those a person made or imported.

Finding and listing models never imports torch; `loaded` keeps networks in memory once they were asked for.
"""

from napari_spineseg.models.registry import (
    DEFAULT_MODEL,
    ModelEntry,
    get_model,
    home,
    list_models,
    model_in_use,
)

__all__ = ["DEFAULT_MODEL", "ModelEntry", "get_model", "home", "list_models", "model_in_use"]
