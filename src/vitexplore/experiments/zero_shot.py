"""What a CLIP answers by prompt about each factor of the scenes."""

import pandas as pd

from vitexplore.experiments import Cost, Experiment, Images, Options

PROMPTS = 100  # passes of the text tower, about


class ZeroShotOptions(Options):
    images: Images = 2000


def measure(model, loader, *, images: int) -> pd.DataFrame:
    """Zero-shot accuracy with its interval and chance; see measures/zero_shot.py."""
    from vitexplore.measures.zero_shot import zero_shot_table

    return zero_shot_table(model, loader.sample(images))


EXPERIMENT = Experiment(
    measure,
    ZeroShotOptions,
    tables={"zero_shot": ("factor", "accuracy", "low", "high", "chance", "images")},
    families=("clip",),
    needs=("factors",),
    cost=lambda options, family: Cost(options.images + PROMPTS, options.images),
)
