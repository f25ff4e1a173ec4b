"""The most activating images of every feature, their maps, and the statistics of its activations."""

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import pandas as pd
from pydantic import Field

from vitexplore.experiments import Cost, Experiment, Images, Options

Site = Literal["ffn", "query", "key", "value", "attention_out", "block", "channel"]
DRAWN = ("visualize", "variants", "ablation")
TOP = ("site", "block", "feature", "rank", "image", "score")


class CollectOptions(Options):
    images: Images = 1000
    k: Annotated[int, Field(ge=1, description="images to keep for each feature")] = 10
    shards: Annotated[int, Field(ge=1, description="parts of the first pass: what a killed run need not do again")] = 1


def settings(scale: Any, name: str) -> dict[str, Any]:
    """``sites``: ffn (CNNs: channel), and what other sites the experiments that read `top` of the model visualize."""
    wanted = {"ffn", "channel"}
    for experiment in DRAWN:
        if name in scale.taking_part(experiment):
            wanted |= set(scale.options(experiment).sites)
    return {"sites": [site for site in get_args(Site) if site in wanted]}


def measure(model, loader, *, images: int, k: int, shards: int, sites: list[str], scratch: Path) -> dict[str, Any]:
    """``top``: a row for each feature and rank, best first. ``statistics``: a row for each feature. ``maps``: the
    winners' maps, float16 [f, k, h, w] of each site, such as ``ffn_3``."""
    from vitexplore.activations.collect import frame, layout_of, maps_of, ranked, statistics, streamed_in_parts

    shown, layout = loader.sample(images), layout_of(model, sites)
    running = streamed_in_parts(model, shown, layout, min(k, len(shown)), shards, scratch)
    rankings = ranked(running, layout, shown.indices)
    maps = maps_of(model, shown, rankings)
    return {
        "top": pd.concat([frame(site, ranking) for site, ranking in rankings.items()], ignore_index=True),
        "statistics": statistics(running, layout),
        "maps": {f"{site.kind}_{site.block}": found for site, found in maps.items()},
    }


EXPERIMENT = Experiment(
    measure,
    CollectOptions,
    tables={"top": TOP, "statistics": ("site", "block", "feature", "n", "mean", "variance", "q[0-9][0-9]")},
    arrays=("maps",),
    scratch=True,
    settings=settings,
    # over all images, then over the winners: at most all of them
    cost=lambda options, family: Cost(2 * options.images, 2 * options.images),
)
