"""What features mean: the one that codes each concept best (paper section 6, Figs. 8 and 9) beside what pixels alone
tell of it, the factor that explains each feature, and a CLIP's words for it."""

from typing import Annotated, Any

import pandas as pd
from pydantic import Field

from vitexplore.experiments import Cost, Experiment, Images, Options


class ConceptsOptions(Options):
    images: Images = 2000
    judge: Annotated[str, Field(description="a CLIP of this scale, whose words name the features")]
    words: Annotated[int, Field(ge=1, description="words for photographs; scenes have those of captions")] = 3000


def given(session: Any, name: str) -> dict[str, Any]:
    """For all models of the job: the judge as a model and its words with their logits, in place of their name and
    number, and statistics of the images' pixels."""
    from vitexplore.measures.dissect import judged
    from vitexplore.measures.pixels import pixel_statistics

    options, judge = session.options, session.model(session.options.judge)
    shown = session.loader.sample(options.images)
    words = session.once("words", lambda: judged(judge, shown, options.words))
    return {"judge": judge, "words": words, "pixels": session.once("pixels", lambda: pixel_statistics(shown))}


def measure(model, loader, *, images: int, judge, words, pixels: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """``concepts``: a row for each concept and fold (measures/concepts.py); none where the images are too few for any.
    ``features``: a row a feature (measures/information.py), with its words (measures/dissect.py). ``words``: logits of
    the images that ``judge``, a CLIP, gives its words, and those words (measures/dissect.py, `judged`). ``pixels``:
    statistics of the images (measures/pixels.py)."""
    from vitexplore.measures.concepts import activations_by_block, concept_scores
    from vitexplore.measures.dissect import answers, labels, soft_wpmi
    from vitexplore.measures.factors import concepts_of, factors_of
    from vitexplore.measures.information import information_table

    shown, rows = loader.sample(images), []
    factors, concepts = factors_of(shown.images, shown.indices), concepts_of(shown.images, shown.indices)
    logits_nw, named = words
    acts = activations_by_block(model, shown)
    for block, acts_nf in acts.items():
        rows.append(information_table(block, acts_nf, factors).join(labels(soft_wpmi(acts_nf, logits_nw), named)))
    whose = {"judge": judge.spec.name, "judge_weights": judge.weight_hash[:16], "images": len(shown)}
    said = answers(logits_nw, named, shown.images)
    scored = concept_scores(acts, concepts, shown.indices, pixels, said) if concepts else pd.DataFrame(columns=CONCEPTS)
    return {"concepts": scored, "features": pd.concat(rows, ignore_index=True).assign(**whose)}


CONCEPTS = ("concept", "kind", "fold", "block", "best", "found", "held_out", "deviation", "placed", "shows")
CONCEPTS += ("held_images", "pixel", "pixel_held_out", "pixel_placed", "answered", "positives", "others")
CONCEPTS += ("found_positives", "found_others", "coded", "features")
FEATURES = ("block", "feature", "information_*", "class_without", "texture_without", "explained_by", "bits", "value")
FEATURES += ("purity", "purity_class", "purity_category", "word_[123]", "score_[123]", "judge", "judge_weights")
FEATURES += ("images",)

EXPERIMENT = Experiment(
    measure,
    ConceptsOptions,
    tables={"concepts": CONCEPTS, "features": FEATURES},
    needs=("labels",),
    others=lambda scale, name: [scale.options("concepts").judge],
    given=given,
    # the model, and the judge; the pixels' statistics, and the detail of each photograph, are measured apart
    cost=lambda options, family: Cost(2 * options.images, 4 * options.images),
)
