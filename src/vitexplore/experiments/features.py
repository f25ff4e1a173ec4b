"""What features mean: which factor of the images explains each one, and a CLIP's words for it (paper Figs. 1 and 6)."""

from typing import Annotated, Any

import pandas as pd
from pydantic import Field

from vitexplore.experiments import Cost, Experiment, Images, Options


class FeaturesOptions(Options):
    images: Images = 2000
    judge: Annotated[str, Field(description="a CLIP of this scale, whose words name the features")]
    words: Annotated[int, Field(ge=1, description="words for photographs; scenes have those of captions")] = 3000


def given(session: Any, name: str) -> dict[str, Any]:
    """For all models of the job: the judge as a model, and its words with their logits, in place of their number."""
    from vitexplore.measures.dissect import judged, words_of

    options, judge = session.options, session.model(session.options.judge)
    shown = session.loader.sample(options.images)

    def words():
        prompts = words_of(shown.images, options.words)
        return judged(judge, shown, prompts), list(prompts)

    return {"judge": judge, "words": session.once("words", words)}


def measure(model, loader, *, images: int, judge, words) -> pd.DataFrame:
    """A row a feature (measures/information.py), with its words (measures/dissect.py). ``words``: logits of the images
    that ``judge``, a CLIP, gives its words, and those words."""
    from vitexplore.measures.concepts import activations_by_block
    from vitexplore.measures.dissect import labels, soft_wpmi
    from vitexplore.measures.factors import factors_of
    from vitexplore.measures.information import information_table

    shown, rows = loader.sample(images), []
    factors = factors_of(shown.images, shown.indices)
    logits_nw, named = words
    for block, acts_nf in activations_by_block(model, shown).items():
        rows.append(information_table(block, acts_nf, factors).join(labels(soft_wpmi(acts_nf, logits_nw), named)))
    whose = {"judge": judge.spec.name, "judge_weights": judge.weight_hash[:16], "images": len(shown)}
    whose["images_a_class"] = len(shown) / len(set(factors["class"]))
    return pd.concat(rows, ignore_index=True).assign(**whose)


FEATURES = ("block", "feature", "information_*", "*_without", "explained_by", "bits", "value")
FEATURES += ("purity", "purity_class", "purity_category", "word_[123]", "score_[123]", "judge", "judge_weights")
FEATURES += ("images", "images_a_class")

EXPERIMENT = Experiment(
    measure,
    FeaturesOptions,
    tables={"features": FEATURES},
    needs=("labels",),
    others=lambda scale, name: [scale.options("features").judge],
    given=given,
    # the model, and the judge; the detail of each photograph is measured apart
    cost=lambda options, family: Cost(2 * options.images, 3 * options.images),
)
