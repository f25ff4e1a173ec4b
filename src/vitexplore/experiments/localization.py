"""Activation maps, and maps that need no network, against the objects' masks (paper Figs. 2a and 4)."""

from typing import Annotated, Any

from pydantic import Field

from vitexplore.experiments import Cost, Experiment, Images, Options


class LocalizationOptions(Options):
    images: Images = 300
    features: Annotated[int, Field(ge=10, description="features of each block at most")] = 256


def measure(model, loader, *, images: int, features: int) -> dict[str, Any]:
    """AUROC of each feature's map, and of trivial ones, against each object's mask; see measures/localization.py."""
    from vitexplore.measures.localization import localization

    return localization(model, loader.with_boxes().sample(images), features)


EXPERIMENT = Experiment(
    measure,
    LocalizationOptions,
    tables={
        "localization": ("block", "feature", "auroc", "control"),
        "localization_images": ("image", "class"),
        "trivial_maps": ("map", "block", "auroc", "control"),
    },
    needs=("boxes",),
    cost=lambda options, family: Cost(options.images, options.images),
)
