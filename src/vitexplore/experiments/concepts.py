"""Which feature codes each concept best (paper section 6, Figs. 8 and 9), beside what pixels alone tell of it."""

from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import Field

from vitexplore.experiments import Cost, Experiment, Images, Options


class ConceptsOptions(Options):
    images: Images = 2000
    judge: Annotated[str, Field(description="a CLIP of this scale, which is asked for each concept by prompt")]


def given(session: Any, name: str) -> dict[str, Any]:
    """For all models of the job: what the judge answers, in place of its name, and statistics of the images' pixels."""
    from vitexplore.measures.dissect import answers
    from vitexplore.measures.pixels import pixel_statistics

    shown = session.loader.sample(session.options.images)
    answered = session.once("answers", lambda: answers(session.model(session.options.judge), shown))
    return {"judge": answered, "pixels": session.once("pixels", lambda: pixel_statistics(shown))}


def measure(
    model, loader, *, images: int, judge: dict[str, np.ndarray], pixels: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """``concepts``: a row for each concept and fold (measures/concepts.py) of which there are images enough;
    ``concept_counts``: of how many images each one is, and whether they are ``enough`` (measures/factors.py).
    ``judge``: answers of a CLIP (measures/dissect.py). ``pixels``: statistics of the images (measures/pixels.py)."""
    from vitexplore.measures.concepts import activations_by_block, concept_scores
    from vitexplore.measures.factors import candidates

    shown = loader.sample(images)
    every = candidates(shown.images, shown.indices)
    counts = [[each.name, each.kind, each.fold, *each.counts().values(), each.usable()] for each in every]
    usable, scored = [each for each in every if each.usable()], pd.DataFrame(columns=CONCEPTS)
    if usable:
        scored = concept_scores(activations_by_block(model, shown), usable, shown.indices, pixels, judge)
    return {"concepts": scored, "concept_counts": pd.DataFrame(counts, columns=COUNTS)}


CONCEPTS = ("concept", "kind", "fold", "block", "best", "found", "held_out", "deviation", "choice", "placed", "shows")
CONCEPTS += (
    "held_images",
    "pixel",
    "pixel_held_out",
    "pixel_choice",
    "pixel_placed",
    "answered",
    "positives",
    "others",
)
CONCEPTS += ("found_positives", "found_others", "coded", "features")
COUNTS = ("concept", "kind", "fold", "found_positives", "found_others", "positives", "others", "enough")

EXPERIMENT = Experiment(
    measure,
    ConceptsOptions,
    tables={"concepts": CONCEPTS, "concept_counts": COUNTS},
    needs=("concepts",),
    others=lambda scale, name: [scale.options("concepts").judge],
    given=given,
    # the model, and the judge; the pixels' statistics are measured apart
    cost=lambda options, family: Cost(2 * options.images, 3 * options.images),
)
