"""Which features code which concepts (paper section 6, Figs. 8 and 9), as AUROCs on images that had no part in the
choice of feature and sign."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, norm, rankdata

from vitexplore.activations.pooled import pooled
from vitexplore.data.loading import Loader
from vitexplore.measures.factors import Concept
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site, sites
from vitexplore.statistics.intervals import times_drawn
from vitexplore.statistics.splits import FALSE_DISCOVERIES

CODED = 0.9  # AUROC from which on a feature is said to code a concept
NEAR, CHOSEN = 64, 16  # features that come near to the best one, and of those that resamples choose, at most
FOUND = 1  # the stream of resamples of the images where features are found


def activations_by_block(model: Model, loader: Loader) -> dict[int, np.ndarray]:
    """By block, the mean activation of each feature (see ``Model.feature_site``) on each image: float32 [n, f]."""
    kind = model.feature_site
    wanted = [Site(kind, block) for block in range(sites(model)[kind])]
    return {site.block: acts.numpy() for site, acts in pooled(model, wanted, loader).items()}


def auroc(ranks_nf: np.ndarray, positive_n: np.ndarray) -> np.ndarray:
    """Probability that a feature is larger on an image that shows a concept than on one that does not, ties counting
    half: float64 [f] (Mann and Whitney 1947). ``ranks_nf``: of each feature's activations, from 1, ties sharing the
    mean; ``positive_n`` bool. NaN where images are of one kind only."""
    count = positive_n.sum()
    wins = positive_n.astype(np.float64) @ ranks_nf - count * (count + 1) / 2
    with np.errstate(invalid="ignore"):
        return wins / (count * (len(ranks_nf) - count))


def placements(acts_n: np.ndarray, positive_n: np.ndarray) -> np.ndarray:
    """What each image has to do with a feature's AUROC, float64 [n]: for one that shows the concept the share of the
    others that are below it, for another the share of those that are above it, ties counting half (DeLong, DeLong and
    Clarke-Pearson 1988). The mean over either kind is the AUROC."""
    shows, count = positive_n, positive_n.sum()
    placed = rankdata(acts_n)
    placed[shows] = (placed[shows] - rankdata(acts_n[shows])) / (len(placed) - count)
    placed[~shows] = 1 - (placed[~shows] - rankdata(acts_n[~shows])) / count
    return placed


def deviation(placed_n: np.ndarray, positive_n: np.ndarray) -> float:
    """Standard error of the AUROC over images, from its ``placements`` (DeLong et al. 1988)."""
    kinds = placed_n[positive_n], placed_n[~positive_n]
    return float(np.sqrt(sum(kind.var(ddof=1) / len(kind) for kind in kinds)))


def told_from_chance(auroc_f: np.ndarray, positives: int, others: int) -> np.ndarray:
    """bool [f]: whether a feature's AUROC is above 0.5, at a false discovery rate of FALSE_DISCOVERIES among these
    features (Benjamini and Hochberg 1995); by the normal limit of Mann and Whitney's statistic."""
    spread = np.sqrt((positives + others + 1) / (12 * positives * others))
    return false_discovery_control(norm.sf((auroc_f - 0.5) / spread)) <= FALSE_DISCOVERIES


def concept_scores(
    acts: Mapping[int, np.ndarray],
    concepts: Sequence[Concept],
    indices: np.ndarray,
    pixels: pd.DataFrame,
    answers: Mapping[str, np.ndarray],
) -> pd.DataFrame:
    """A row for each concept and fold, of the model whose activations, float [n, f] by block, are ``acts``. One or more
    ``concepts``. The images, n, are ``indices`` int64 [n] of their set.

    ``best``, of ``block``: the feature of the whole model that fires most for the concept, with its AUROC on the images
    where features are ``found``, that on those ``held_out``, and the standard error of the latter, ``deviation``.
    ``choice`` int [r]: which feature each resample of the images where features are found would choose, by its place
    among those that are chosen so, the first of which is ``best``; ``placed`` [k * h]: the ``placements`` of the
    held-out images by each of these; ``shows``, ``held_images`` [h]: which of them show the concept, and their indices.
    ``pixel``: of ``pixels``, float32 [n, s] (``measures.pixels``), the statistic that tells most of the concept on the
    images where features are found, "-" before its name where it is less on images that show it; ``pixel_held_out``,
    ``pixel_choice`` and ``pixel_placed`` of that, as above.
    ``answered``: AUROC of ``answers[concept]``, float [n], what a judge says of the images, where features are found,
    so that no held-out image has a part in which concepts count; NaN without it.
    ``positives``, ``others``, ``found_positives``, ``found_others``: images that show it or do not, held out and not.
    ``coded``: of all ``features``, those whose AUROC is CODED at least where features are found and again where they
    are held out, above chance there (``told_from_chance``), by either sign."""
    by_block = [_both_parts(acts_nf, concepts) for acts_nf in acts.values()]
    found_cf, held_cf = (np.concatenate(part, axis=1) for part in zip(*by_block, strict=True))
    address_f = [(block, feature) for block, acts_nf in acts.items() for feature in range(acts_nf.shape[1])]
    pixels_ns = pixels.to_numpy(dtype=np.float64)
    found_cs, _ = _both_parts(pixels_ns, concepts)
    rows = []
    for concept, found_f, held_f, found_s in zip(concepts, found_cf, held_cf, found_cs, strict=True):
        held_on, found_on = concept.held_on, concept.found_on
        shows, found_shows = concept.positive[held_on], concept.positive[found_on]
        near = np.argsort(-found_f, kind="stable")[:NEAR]
        candidates_nk = np.stack(
            [acts[block][:, feature] for block, feature in map(address_f.__getitem__, near)], axis=1
        )
        choice, placed_kh = _chosen(candidates_nk, concept)
        block, best = address_f[near[0]]
        sign_s = np.where(found_s >= 0.5, 1.0, -1.0)
        order = np.argsort(-np.abs(found_s - 0.5), kind="stable")
        pixel = order[0]
        pixel_choice, pixel_kh = _chosen((sign_s * pixels_ns)[:, order], concept)
        answer = answers.get(concept.name)
        rows.append(
            {
                "concept": concept.name,
                "kind": concept.kind,
                "fold": concept.fold,
                "block": block,
                "best": best,
                "found": found_f[near[0]],
                "held_out": placed_kh[0][shows].mean(),
                "deviation": deviation(placed_kh[0], shows),
                "choice": choice,
                "placed": placed_kh.astype(np.float32).reshape(-1),
                "shows": shows,
                "held_images": indices[held_on].astype(np.int32),
                "pixel": ("-" if sign_s[pixel] < 0 else "") + pixels.columns[pixel],
                "pixel_held_out": pixel_kh[0][shows].mean(),
                "pixel_choice": pixel_choice,
                "pixel_placed": pixel_kh.astype(np.float32).reshape(-1),
                "answered": np.nan if answer is None else placements(answer[found_on], found_shows)[found_shows].mean(),
                "positives": int(shows.sum()),
                "others": int((~shows).sum()),
                "found_positives": int(found_shows.sum()),
                "found_others": int((~found_shows).sum()),
                "coded": _coded(found_f, held_f, shows),
                "features": len(found_f),
            }
        )
    return pd.DataFrame(rows)


def _chosen(acts_nk: np.ndarray, concept: Concept) -> tuple[np.ndarray, np.ndarray]:
    """Of candidates in the order of their AUROC where features are found, the best first: which of them each resample
    of those images chooses, int16 [r], counted among the CHOSEN at most that are chosen most often, the first candidate
    before them; and these candidates' ``placements`` of the held-out images, [k, h]. A resample that chooses another
    counts as choosing the first."""
    shows = concept.positive[concept.found_on]
    placed_nk = np.stack([placements(acts, shows) for acts in acts_nk[concept.found_on].T], axis=1)
    times_rn = times_drawn(len(shows), FOUND).astype(np.float64)
    auroc_rk = -placed_nk[shows].mean(0)  # to first order in 1/n, as in DeLong et al.
    for kind in (shows, ~shows):
        auroc_rk = auroc_rk + times_rn[:, kind] @ placed_nk[kind] / times_rn[:, kind].sum(1, keepdims=True)
    choice_r = auroc_rk.argmax(1)
    often = np.argsort(-np.bincount(choice_r, minlength=acts_nk.shape[1]), kind="stable")[:CHOSEN]
    kept = [0, *(place for place in often if place and (choice_r == place).any())]
    place_of = np.zeros(acts_nk.shape[1], dtype=np.int16)
    place_of[kept] = np.arange(len(kept))
    held = [placements(acts_nk[concept.held_on, place], concept.positive[concept.held_on]) for place in kept]
    return place_of[choice_r], np.stack(held)


def _coded(found_f: np.ndarray, held_f: np.ndarray, shows: np.ndarray) -> int:
    sign_f = np.where(found_f >= 0.5, 1, -1)
    found_f, held_f = (0.5 + sign_f * (part - 0.5) for part in (found_f, held_f))
    told_f = told_from_chance(held_f, int(shows.sum()), int((~shows).sum()))
    return int(((found_f >= CODED) & (held_f >= CODED) & told_f).sum())


def _both_parts(acts_nf: np.ndarray, concepts: Sequence[Concept]) -> tuple[np.ndarray, np.ndarray]:
    """AUROC of each feature for each concept, where features are found and where they are held out: two of [c, f]."""
    ranked: dict[bytes, np.ndarray] = {}  # concepts share their parts of the images, and ranking is what takes time

    def score(part: np.ndarray, positive: np.ndarray) -> np.ndarray:
        key = part.tobytes()
        if key not in ranked:
            ranked[key] = rankdata(acts_nf[part], axis=0)
        return auroc(ranked[key], positive[part])

    found = [score(concept.found_on, concept.positive) for concept in concepts]
    return np.stack(found), np.stack([score(concept.held_on, concept.positive) for concept in concepts])
