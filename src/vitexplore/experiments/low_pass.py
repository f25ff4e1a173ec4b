"""Accuracy on low-pass filtered images (paper section 5, Fig. 14)."""

from typing import Annotated, Literal

import pandas as pd
from pydantic import Field

from vitexplore.experiments import CommonSize, Cost, Experiment, Images, Options, sizes

STRENGTHS = {"disc": 5, "gaussian": 7}  # of each filter (data/filters.py)


class LowPassOptions(Options):
    images: Images = 50_000
    common_size: CommonSize = 0
    filters: Annotated[
        tuple[Literal[tuple(STRENGTHS)], ...], Field(min_length=1, description="disc: the ideal low-pass")
    ] = tuple(STRENGTHS)


def measure(
    model, loader, *, images: int, common_size: int, filters: tuple[str, ...] = tuple(STRENGTHS)
) -> pd.DataFrame:
    """The class's rank under each filter; see measures/low_pass.py."""
    from vitexplore.measures.low_pass import low_pass_ranks
    from vitexplore.measures.sizes import at_sizes
    from vitexplore.models.heads import make_head

    classes, frames = loader.images.classes, []
    for size, each in at_sizes(model, common_size).items():
        ranks = low_pass_ranks(each, make_head(each, classes), loader.sample(images), filters)
        frames.append(ranks.assign(size=size, classes=len(classes)))
    return pd.concat(frames, ignore_index=True)


def cost(options: LowPassOptions, family: str) -> Cost:
    shown = options.images * sizes(options.common_size, family)
    return Cost((1 + sum(STRENGTHS[name] for name in options.filters)) * shown, shown)


EXPERIMENT = Experiment(
    measure,
    LowPassOptions,
    tables={"low_pass": ("filter", "strength", "image", "rank", "rank_permuted", "size", "classes")},
    needs=("labels",),
    validation=True,
    cost=cost,
)
