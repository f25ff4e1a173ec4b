"""What do vision transformers learn? Experiments on the features of vision models.

For notebooks: pictures of features (``show``); a model by name (``load_named``), images to show it (``scene_set``,
``folder_of_photos``) in a ``Loader``, and an ``experiment`` by name.
"""

from importlib import import_module
from typing import Any

# imported where they are asked for: torch takes seconds
_HOME = {
    "Loader": ("vitexplore.data.loading", "Loader"),
    "experiment": ("vitexplore.registry", "find"),
    "folder_of_photos": ("vitexplore.data.photos", "folder_of_photos"),
    "load_named": ("vitexplore.models.catalogue", "load_named"),
    "scene_set": ("vitexplore.data.scene_sets", "scene_set"),
    "show": ("vitexplore.notebook", "show"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOME[name]
    return getattr(import_module(module), attribute)
