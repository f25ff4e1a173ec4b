"""What features mean: the concepts that each block's features tell (paper section 6, Figs. 8 and 9), the factor that
explains each feature, and a CLIP's words for it."""

from typing import Annotated, Any

import pandas as pd
from pydantic import Field

from vitexplore.experiments import Cost, Experiment, Images, Options


class ConceptsOptions(Options):
    images: Images = 2000
    judge: Annotated[str, Field(description="a CLIP of this scale, whose words name the features")]
    words: Annotated[int, Field(ge=1, description="words for photographs; scenes have those of captions")] = 3000


def given(session: Any, name: str) -> dict[str, Any]:
    """The judge as a model and its words with their logits, for all models of the job, in place of their name and
    number."""
    from vitexplore.measures.dissect import judged

    options, judge = session.options, session.model(session.options.judge)
    shown = session.loader.sample(options.images)
    return {"judge": judge, "words": session.once("words", lambda: judged(judge, shown, options.words))}


def measure(model, loader, *, images: int, judge, words) -> dict[str, pd.DataFrame]:
    """``concepts``: a row for each block, concept and fold (measures/concepts.py). ``features``: a row a feature
    (measures/information.py), with its words (measures/dissect.py). ``words``: logits of the images that ``judge``, a
    CLIP, gives its words, and those words (measures/dissect.py, `judged`)."""
    from vitexplore.measures.concepts import activations_by_block, concept_scores
    from vitexplore.measures.dissect import labels, soft_wpmi
    from vitexplore.measures.factors import concepts_of, factors_of
    from vitexplore.measures.information import information_table

    shown, rows = loader.sample(images), []
    factors, concepts = factors_of(shown.images, shown.indices), concepts_of(shown.images, shown.indices)
    logits_nw, named = words
    acts = activations_by_block(model, shown)
    for block, acts_nf in acts.items():
        rows.append(information_table(block, acts_nf, factors).join(labels(soft_wpmi(acts_nf, logits_nw), named)))
    whose = {"judge": judge.spec.name, "judge_weights": judge.weight_hash[:16], "images": len(shown)}
    return {
        "concepts": concept_scores(acts.items(), concepts),
        "features": pd.concat(rows, ignore_index=True).assign(**whose),
    }


CONCEPTS = ("block", "concept", "kind", "fold", "features", "coded", "resamples", "threshold", "best", "found")
CONCEPTS += ("held_out", "deviation", "positives", "others")
FEATURES = ("block", "feature", "information_*", "class_without", "texture_without", "explained_by", "bits", "value")
FEATURES += ("purity", "purity_class", "purity_category", "word_[123]", "score_[123]", "judge", "judge_weights")
FEATURES += ("images",)

EXPERIMENT = Experiment(
    measure,
    ConceptsOptions,
    tables={"concepts": CONCEPTS, "features": FEATURES},
    others=lambda scale, name: [scale.options("concepts").judge],
    given=given,
    # the model, and the judge; the detail of each photograph is measured apart
    cost=lambda options, family: Cost(2 * options.images, 3 * options.images),
)
