"""CLS isolated up to each block, and the classifier on each patch (paper section 4, Table 1, Fig. 5)."""

from typing import Annotated, Literal

import pandas as pd
from pydantic import Field

from vitexplore.experiments import Cost, Experiment, Images, Options

BLOCKS = 12  # of a ViT, for the cost


class TokenMixingOptions(Options):
    images: Images = 50_000
    joined: Annotated[
        tuple[Annotated[int, Field(ge=0)], ...] | Literal["all"],
        Field(description="blocks before which CLS joins the patches, counted from 0"),
    ] = "all"


def measure(model, loader, *, images: int, joined: tuple[int, ...] | str = "all") -> dict[str, pd.DataFrame]:
    """``token_mixing``: a row for each surgery and place (``at``) with the class's ranks (``rank``: int16 [images], see
    measures/token_mixing.py), and the grid of the positions after the last block, which ``at`` counts row by row.
    ``token_mixing_images``: ``image``, the index of each image, in the order of ``rank``.

    Ranks are lists in Parquet: a row for each image would be 240 million rows at paper scale, and an array file of its
    own would need names for its axes and places for its provenance. So one file has all, the provenance compresses to
    nothing, and pandas, polars and DuckDB read it."""
    from vitexplore.measures.token_mixing import token_mixing_ranks
    from vitexplore.models.heads import make_head
    from vitexplore.models.sites import Site, grid, sites

    classes, shown = loader.images.classes, loader.sample(images)
    table = token_mixing_ranks(model, make_head(model, classes), shown, None if joined == "all" else joined)
    height, width = grid(model, Site("block", sites(model)["block"] - 1))
    return {
        "token_mixing": table.assign(classes=len(classes), grid_height=height, grid_width=width),
        "token_mixing_images": pd.DataFrame({"image": shown.indices}),
    }


def cost(options: TokenMixingOptions, family: str) -> Cost:
    # of isolated CLS the patches alone, and for each k what follows it; the whole model twice; exchanged patches
    joined = {0, *(range(BLOCKS) if options.joined == "all" else options.joined)}
    after = sum(BLOCKS - k for k in joined if k < BLOCKS) / BLOCKS
    return Cost((2.5 + after) * options.images, options.images)


EXPERIMENT = Experiment(
    measure,
    TokenMixingOptions,
    tables={
        "token_mixing": ("surgery", "at", "rank", "classes", "grid_height", "grid_width"),
        "token_mixing_images": ("image",),
    },
    families=("vit", "clip"),
    needs=("labels",),
    validation=True,
    cost=cost,
)
