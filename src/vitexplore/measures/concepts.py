"""Which features code which concepts (paper section 6, Figs. 8 and 9), as AUROCs on images that had no part in the
choice of feature and sign."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, norm, rankdata

from vitexplore.activations.pooled import pooled
from vitexplore.data.loading import Loader
from vitexplore.measures.factors import Concept
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site, sites
from vitexplore.stats import FALSE_DISCOVERIES, RESAMPLES

CODED = 0.9  # AUROC from which on a feature is said to code a concept


def activations_by_block(model: Model, loader: Loader) -> dict[int, np.ndarray]:
    """By block, the mean activation of each feature (see ``Model.feature_site``) on each image: float32 [n, f]."""
    kind = model.feature_site
    wanted = [Site(kind, block) for block in range(sites(model)[kind])]
    return {site.block: acts.numpy() for site, acts in pooled(model, wanted, loader).items()}


def auroc(ranks_nf: np.ndarray, positive_nc: np.ndarray) -> np.ndarray:
    """Probability that a feature is larger on an image that shows a concept than on one that does not, ties counting
    half: float64 [c, f] (Mann and Whitney 1947). ``ranks_nf``: of each feature's activations, from 1, ties sharing the
    mean; ``positive_nc`` bool. NaN where images are of one kind only."""
    count = positive_nc.sum(0)[:, None]
    wins = positive_nc.T.astype(np.float64) @ ranks_nf - count * (count + 1) / 2
    with np.errstate(invalid="ignore"):
        return wins / (count * (len(ranks_nf) - count))


def placements(acts_nf: np.ndarray, positive_n: np.ndarray) -> np.ndarray:
    """What each image has to do with the AUROC, float64 [n, f]: for one that shows the concept the share of the others
    that are below it, for another the share of those that are above it, ties counting half (DeLong, DeLong and
    Clarke-Pearson 1988). The mean over either kind is the AUROC."""
    shows, count = positive_n, positive_n.sum()
    placed = rankdata(acts_nf, axis=0)
    placed[shows] = (placed[shows] - rankdata(acts_nf[shows], axis=0)) / (len(placed) - count)
    placed[~shows] = 1 - (placed[~shows] - rankdata(acts_nf[~shows], axis=0)) / count
    return placed


def resampled_auroc(placed_nf: np.ndarray, positive_n: np.ndarray, seed: int) -> np.ndarray:
    """The AUROC on RESAMPLES draws of as many images of either kind, with replacement: float64 [r, f]. Linear in the
    images, as DeLong's variance is: to first order in 1/n the bootstrap itself, at the price of a product. The
    same images are drawn for all models."""
    rng = np.random.default_rng(seed)
    means = []
    for kind in (placed_nf[positive_n], placed_nf[~positive_n]):
        drawn = rng.multinomial(len(kind), np.full(len(kind), 1 / len(kind)), size=RESAMPLES)
        means.append(drawn @ kind / len(kind))
    return means[0] + means[1] - placed_nf[positive_n].mean(0)


def told_from_chance(auroc_f: np.ndarray, positives: int, others: int) -> np.ndarray:
    """bool [f]: whether a feature's AUROC is above 0.5, at a false discovery rate of FALSE_DISCOVERIES among these
    features (Benjamini and Hochberg 1995); by the normal limit of Mann and Whitney's statistic."""
    deviation = np.sqrt((positives + others + 1) / (12 * positives * others))
    return false_discovery_control(norm.sf((auroc_f - 0.5) / deviation)) <= FALSE_DISCOVERIES


def concept_scores(blocks: Iterable[tuple[int, np.ndarray]], concepts: Sequence[Concept]) -> pd.DataFrame:
    """A row for each block, concept and fold, from ``blocks``: (block, activations float [n, f]).

    ``features``: how many there are; ``coded``: of those, how many have an AUROC of ``threshold`` at least where they
    are found and again where they are held out, above chance there (``told_from_chance``); ``resamples``: the same on
    RESAMPLES draws of the held-out images and of the features. A feature may code a concept by either sign; ``best``
    is the one that fires most for it, with its AUROC where it was ``found``, that where it was ``held_out``, and the
    standard error of the latter, ``deviation``. ``positives``, ``others``: held-out images of either kind."""
    return pd.DataFrame([row for block, acts_nf in blocks for row in _of_block(block, acts_nf, concepts)])


def _of_block(block: int, acts_nf: np.ndarray, concepts: Sequence[Concept]) -> Iterator[dict]:
    features = acts_nf.shape[1]
    drawn = np.random.default_rng(block).multinomial(features, np.full(features, 1 / features), size=RESAMPLES)
    parts: dict[bytes, np.ndarray] = {}  # concepts share their parts of the images, and ranking is what takes time

    def ranks(part: np.ndarray) -> np.ndarray:
        key = part.tobytes()
        if key not in parts:
            parts[key] = rankdata(acts_nf[part], axis=0)
        return parts[key]

    for number, concept in enumerate(concepts):
        held_on, positive = concept.held_on, concept.positive[concept.held_on]
        found = auroc(ranks(concept.found_on), concept.positive[concept.found_on, None])[0]
        held = auroc(ranks(held_on), positive[:, None])[0]
        best, sign = int(found.argmax()), np.where(found >= 0.5, 1, -1)
        positives, others = int(positive.sum()), int((~positive).sum())
        told = told_from_chance(0.5 + sign * (held - 0.5), positives, others)
        candidates = np.flatnonzero((np.abs(found - 0.5) >= CODED - 0.5) & told)
        placed = placements(sign[candidates] * acts_nf[held_on][:, candidates], positive)
        resamples = np.zeros(RESAMPLES, dtype=np.int64)
        if len(candidates):
            again = resampled_auroc(placed, positive, number) >= CODED
            resamples = (again * drawn[:, candidates]).sum(1)
        placed_best = placements(acts_nf[held_on][:, [best]], positive)[:, 0]
        variances = [part.var(ddof=1) / len(part) for part in (placed_best[positive], placed_best[~positive])]
        yield {
            "block": block,
            "concept": concept.name,
            "kind": concept.kind,
            "fold": concept.fold,
            "features": features,
            "coded": int((placed[positive].mean(0) >= CODED).sum()),
            "resamples": resamples,
            "threshold": CODED,
            "best": best,
            "found": found[best],
            "held_out": held[best],
            "deviation": np.sqrt(sum(variances)),
            "positives": positives,
            "others": others,
        }
