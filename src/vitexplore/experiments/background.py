"""Accuracy on full images, on foregrounds alone and on backgrounds alone (paper section 5, Table 2)."""

import pandas as pd

from vitexplore.data.masks import FILLS
from vitexplore.experiments import CommonSize, Cost, Experiment, Images, Options, sizes

VIEWS = 1 + 2 * len(FILLS)  # the full image, and two cuts with each fill


class BackgroundOptions(Options):
    images: Images = 50_000
    common_size: CommonSize = 0


def measure(model, loader, *, images: int, common_size: int) -> pd.DataFrame:
    """The class's rank on each view of an image; see measures/background.py, and measures/imagenet9.py for the
    backgrounds challenge. ``cropped``: the share of the object's box that the crop cuts away; not a number there."""
    from vitexplore.data.imagenet9 import is_imagenet9
    from vitexplore.measures.imagenet9 import imagenet9_ranks
    from vitexplore.measures.sizes import at_sizes

    frames, classes = [], len(loader.images.classes)
    for size, each in at_sizes(model, common_size).items():
        if is_imagenet9(loader.images):
            found = imagenet9_ranks(each, loader, images).assign(size=size, cropped=float("nan"))
        else:
            found = _cut_here(each, loader.with_boxes().sample(images), size)
        frames.append(found.assign(classes=classes))
    return pd.concat(frames, ignore_index=True)


def _cut_here(model, shown, size: str) -> pd.DataFrame:
    from vitexplore.data.loading import preprocess
    from vitexplore.measures.background import background_ranks, share_of_box_cropped
    from vitexplore.models.heads import make_head

    ranks = background_ranks(model, make_head(model, shown.images.classes), shown)
    transform = preprocess(model.spec, shown.preprocessing)
    cropped = pd.Series(share_of_box_cropped(shown.images, shown.indices, transform), index=shown.indices)
    return ranks.assign(size=size, cropped=ranks["image"].map(cropped))


def cost(options: BackgroundOptions, family: str) -> Cost:
    views = VIEWS * options.images * sizes(options.common_size, family)
    return Cost(views, views)


EXPERIMENT = Experiment(
    measure,
    BackgroundOptions,
    tables={"background": ("condition", "fill", "along", "image", "rank", "size", "cropped", "classes")},
    needs=("labels", "boxes"),
    cost=cost,
)
