"""CLS isolated up to each block, and the classifier on each patch (paper section 4, Table 1, Fig. 5)."""

import pandas as pd

from vitexplore.experiments import Cost, Experiment, Images, Options


class TokenMixingOptions(Options):
    images: Images = 50_000


def measure(model, loader, *, images: int) -> pd.DataFrame:
    """The class's rank after each surgery; see measures/token_mixing.py. ``grid_height``, ``grid_width``: of the
    positions after the last block, which ``at`` counts row by row."""
    from vitexplore.measures.token_mixing import token_mixing_ranks
    from vitexplore.models.heads import make_head
    from vitexplore.models.sites import Site, grid, sites

    classes = loader.images.classes
    table = token_mixing_ranks(model, make_head(model, classes), loader.sample(images))
    height, width = grid(model, Site("block", sites(model)["block"] - 1))
    return table.assign(classes=len(classes), grid_height=height, grid_width=width)


EXPERIMENT = Experiment(
    measure,
    TokenMixingOptions,
    tables={"token_mixing": ("surgery", "at", "image", "rank", "classes", "grid_height", "grid_width")},
    families=("vit", "clip"),
    needs=("labels",),
    validation=True,
    # half of the depth + 1 for isolated CLS, 12 blocks taken for the mean; CLS alone, exchanged patches
    cost=lambda options, family: Cost(9 * options.images, options.images),
)
