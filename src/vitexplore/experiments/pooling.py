"""How attention pools in plain ViTs, and what is lost where it may not (paper section 4, appendix F)."""

import pandas as pd

from vitexplore.experiments import Cost, Experiment, Images, Options

BLOCKS = 12  # of a ViT, for the cost


class PoolingOptions(Options):
    images: Images = 300


def measure(model, loader, *, images: int) -> pd.DataFrame:
    """A row for each block, measure and image; see measures/pooling.py. Of a model that does not tell the images'
    classes the measures that need an answer are left out."""
    from vitexplore.measures.pooling import pooling
    from vitexplore.models.heads import make_head, tells

    classes, shown = loader.images.classes, loader.sample(images)
    known = "label" in shown.images.table and tells(model, len(classes))
    table = pooling(model, shown, make_head(model, classes) if known else None)
    return table.assign(classes=len(classes))


EXPERIMENT = Experiment(
    measure,
    PoolingOptions,
    tables={"pooling": ("block", "measure", "image", "value", "classes")},
    families=("vit", "clip"),
    # twice the model and its attention, which is computed once more; what follows each block, rewired in two ways
    cost=lambda options, family: Cost((5 + BLOCKS + 1) * options.images, 2 * options.images),
)
