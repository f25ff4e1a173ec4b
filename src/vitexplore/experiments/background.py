"""Accuracy on full images, on foregrounds alone and on backgrounds alone (paper section 5, Table 2)."""

import pandas as pd

from vitexplore.data.masks import FILLS
from vitexplore.experiments import CommonSize, Cost, Experiment, Images, Options, sizes

VIEWS = 1 + 2 * len(FILLS)  # the full image, and two cuts with each fill


class BackgroundOptions(Options):
    images: Images = 50_000
    common_size: CommonSize = 0


def measure(model, loader, *, images: int, common_size: int) -> pd.DataFrame:
    """The class's rank on each view of an image; see measures/background.py. ``cropped``: the share of the object's
    box that the crop cuts away."""
    from vitexplore.data.loading import preprocess
    from vitexplore.measures.background import background_ranks, share_of_box_cropped
    from vitexplore.measures.sizes import at_sizes
    from vitexplore.models.heads import make_head

    shown, frames = loader.with_boxes().sample(images), []
    classes = loader.images.classes
    for size, each in at_sizes(model, common_size).items():
        ranks = background_ranks(each, make_head(each, classes), shown)
        transform = preprocess(each.spec, loader.preprocessing)
        cropped = pd.Series(share_of_box_cropped(loader.images, shown.indices, transform), index=shown.indices)
        frames.append(ranks.assign(size=size, cropped=ranks["image"].map(cropped), classes=len(classes)))
    return pd.concat(frames, ignore_index=True)


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
