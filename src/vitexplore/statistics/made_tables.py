"""Made tables of known truth, of every kind of statistic that a claim uses.

A kind draws a table in which its statistic's true value is ``effect`` and its control's ``absent``, and makes the
comparison of it that the analyses make. Of a statistic that chooses on some units and scores on others the truth is
what its way of choosing reaches in the mean, which is measured once on many tables.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from scipy.stats import norm

from vitexplore.statistics.intervals import (
    Jackknifed,
    Means,
    Resampled,
    combined,
    least,
    ratio,
    resampled_means,
)
from vitexplore.statistics.selection import beside_selection, over_strata, select_then_score
from vitexplore.statistics.splits import GROUPS, groups
from vitexplore.statistics.verdict import Comparison

Rng = np.random.Generator


@dataclass(frozen=True)
class Kind:
    """A kind of statistic: ``draw(rng, n, effect)`` gives the comparisons of one made table by name, the first of which
    has the true value ``effect``. ``n``: units in use in the lab; ``margin``; ``absent``: what the statistic is where
    there is nothing; ``wanted``: an effect that should be seen, the paper's or a planted one. With ``every`` the
    statement is of every one of ``each``; with ``counts`` each of the first comparison's is an item that counts or not,
    and the statement is that one at least does."""

    name: str
    of: str
    n: int
    margin: float
    absent: float
    wanted: float
    draw: Callable[[Rng, int, float], Mapping[str, Comparison]]
    every: bool = False
    counts: bool = False

    @property
    def near(self) -> tuple[float, float]:
        """0.8 and 1.2 times as far from nothing as the margin is."""
        return tuple(self.absent + factor * (self.margin - self.absent) for factor in (0.8, 1.2))


def _correlated_hits(rng: Rng, n: int, accuracies: Sequence[float], shared: float = 0.5) -> np.ndarray:
    """bool [len(accuracies), n]: hits at these rates, correlated over images as models' are, for some are hard."""
    hard = rng.normal(size=n)
    own = rng.normal(size=(len(accuracies), n))
    latent = np.sqrt(shared) * hard + np.sqrt(1 - shared) * own
    return latent < norm.ppf(accuracies)[:, None]


CHANCE, NATURAL, SEEDS = 1 / 16, 0.9, 3


def share_of_accuracy(rng: Rng, n: int, effect: float) -> Mapping[str, Comparison]:
    """isolated_cls, head_on_patches: accuracy above chance after a surgery over the natural one; three seeds."""
    rates = [NATURAL, CHANCE + effect * (NATURAL - CHANCE)] * SEEDS + [CHANCE]
    *means, nothing = resampled_means(_correlated_hits(rng, n, rates) - CHANCE)
    each = {f"seed {seed}": ratio(means[2 * seed + 1], means[2 * seed]) for seed in range(SEEDS)}
    return {"": Comparison(each, ratio(nothing, means[0]))}


POSITIONS = 64


def best_position(rng: Rng, n: int, effect: float) -> Mapping[str, Comparison]:
    """head_on_patches: the position that is best on one half of the images, on the other half, over the natural
    accuracy. Positions differ by little, so that the choice is uncertain; what it reaches in the mean is ``effect``."""
    rates = CHANCE + _spread_of_positions(n, effect) * (NATURAL - CHANCE)
    hits = _correlated_hits(rng, n, [NATURAL, CHANCE, *rates])
    first, second = np.arange(n) % 2 == 0, np.arange(n) % 2 == 1
    natural = beside_selection(hits[0, second] - CHANCE, int(first.sum()))
    own = ratio(select_then_score(hits[2:, first].T, hits[2:, second].T - CHANCE), natural)
    return {"": Comparison({"": own}, ratio(beside_selection(hits[1, second] - CHANCE, int(first.sum())), natural))}


@lru_cache(maxsize=64)
def _spread_of_positions(n: int, effect: float) -> np.ndarray:
    """Shares of the natural accuracy, by position, of which the chosen one's is ``effect`` in the mean."""
    apart = 0.05 * np.linspace(-1, 1, POSITIONS)
    rng, reached = np.random.default_rng(0), []
    for _ in range(400):
        rates = CHANCE + np.clip(effect + apart, 0, 1.05) * (NATURAL - CHANCE)
        hits = _correlated_hits(rng, n // 2, rates)
        reached.append(apart[hits.mean(1).argmax()])
    return np.clip(effect + apart - np.mean(reached), 0, 1.1)


def difference_of_families(rng: Rng, n: int, effect: float) -> Mapping[str, Comparison]:
    """background, low_pass: what each ViT keeps minus what each CNN keeps; two of each, alike."""
    rates = []
    for kept in (0.3 + effect, 0.3):
        rates += [NATURAL, CHANCE + kept * (NATURAL - CHANCE)] * 2
    means = resampled_means(_correlated_hits(rng, n, [*rates, CHANCE, CHANCE]) - CHANCE)
    kept = [ratio(means[at + 1], means[at]) for at in range(0, 8, 2)]
    nothing = ratio(means[8], means[0]) - ratio(means[9], means[4])
    return {
        "": Comparison({f"{vit} {cnn}": kept[vit] - kept[2 + cnn] for vit, cnn in product(range(2), repeat=2)}, nothing)
    }


def step_of_last_block(rng: Rng, n: int, effect: float, inner: int = 6) -> Mapping[str, Comparison]:
    """local_until_last, learned_pooling: the last block's step minus the largest inner one's; images differ, and alike
    in all blocks. Two inner steps are the largest by turns: ``effect`` less than the last in one seed or the other."""
    last = 0.3

    def least_lead(true: np.ndarray) -> Resampled:
        noise = 0.1 * rng.normal(size=(1, n)) + 0.05 * rng.normal(size=(len(true), n))
        means = resampled_means(true[:, None] * (1 + 0.3 * rng.normal(size=(1, n))) + noise)
        return least([means[-1] - mean for mean in means[:-1]])

    def steps(largest: int) -> np.ndarray:
        return np.array([last - effect - 0.1 * (block != largest) for block in range(inner)] + [last])

    each = {f"seed {seed}": least_lead(steps(seed % 2)) for seed in range(SEEDS)}
    return {"": Comparison(each, least_lead(np.zeros(inner + 1)))}


def share_of_the_range(rng: Rng, n: int, effect: float) -> Mapping[str, Comparison]:
    """local_until_last: the last block's step over the range of the course."""
    course = np.array([0.1, 0.1 + 0.5 * (1 - effect) * 0.3, 0.1 + 0.3 * (1 - effect), 0.4])
    values = course[:, None] * (1 + 0.2 * rng.normal(size=(1, n))) + 0.1 * rng.normal(size=(4, n))
    means, flat = resampled_means(values), resampled_means(0.2 + 0.1 * rng.normal(size=(2, n)))
    of_range = combined(lambda *each: np.max(each, axis=0) - np.min(each, axis=0), *means)
    return {"": Comparison({"": ratio(means[-1] - means[-2], of_range)}, ratio(flat[1] - flat[0], of_range))}


MAPS, CLASSES, BASELINE = 256, 8, 0.6


def best_map_of_each_class(rng: Rng, n: int, effect: float) -> Mapping[str, Comparison]:
    """maps_localize: of each class the map that is best on one half of its images, on the other half, less another
    network's; mean over classes. ``n``: images of a class."""
    quality = _quality_of_maps(n, effect)
    found: list[Resampled] = []
    others: list[Resampled] = []
    for number in range(CLASSES):
        hard = 0.05 * rng.normal(size=(n, 1))
        own = quality + hard + 0.1 * rng.normal(size=(n, MAPS))
        pixels = np.array([BASELINE - 0.05, BASELINE, 0.5]) + hard + 0.1 * rng.normal(size=(n, 3))
        first, second = np.arange(n) % 2 == 0, np.arange(n) % 2 == 1
        best = [select_then_score(each[first], each[second], number) for each in (own, pixels)]
        other = beside_selection(0.5 + 0.1 * rng.normal(size=int(second.sum())), int(first.sum()), number)
        found.append(best[0] - best[1])
        others.append(other - best[1])
    return {"": Comparison({"": over_strata(found)}, over_strata(others))}


@lru_cache(maxsize=64)
def _quality_of_maps(n: int, effect: float) -> np.ndarray:
    """True AUROCs of maps, most of them at chance, of which the chosen one's is ``effect`` over the chosen baseline's
    in the mean."""
    apart = np.full(MAPS, -0.3)
    apart[:8] = np.linspace(-0.07, 0, 8)
    rng, reached = np.random.default_rng(0), []
    for _ in range(400):
        maps = apart + 0.1 * rng.normal(size=(n // 2, MAPS))
        pixels = np.array([-0.05, 0.0, 0.5 - BASELINE])
        chosen = (pixels + 0.1 * rng.normal(size=(n // 2, 3))).mean(0).argmax()
        reached.append(apart[maps.mean(0).argmax()] - pixels[chosen])
    return BASELINE + effect - np.mean(reached) + apart


SETS, WIDE = 64, 12  # features of a layer, and directions of a judge's embedding


def site_over_site(rng: Rng, n: int, effect: float) -> Mapping[str, Comparison]:
    """ffn_over_qkv: how well a judge tells features of one site minus of another, n of each at three depths. A picture
    is ranked among the exemplar sets of all features of its layer, so that the ranks of a layer share these sets; a
    quarter of one site's pictures are dead and count as chance."""
    one, other, chance = {}, {}, {}
    for site, mean, found in (("ffn", 0.65 + effect, one), ("query", 0.65, other)):
        for depth in range(3):
            told, others = _judged(rng, n, mean, dead=0.25 if site == "ffn" else 0.0)
            found[f"{site} {depth}"] = told / 3
            chance[f"{site} {depth}"] = (1 if site == "ffn" else -1) * others / 3
    return {"": Comparison({"vit": Means(one) - Means(other)}, Means(chance))}


def _judged(rng: Rng, n: int, mean: float, dead: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """How well a judge tells n of SETS features by their pictures, of this mean with dead ones at chance; and by the
    next feature's pictures."""
    signal = _signal_of((mean - 0.5 * dead) / (1 - dead))
    sets = _unit(rng.normal(size=(SETS, WIDE)))
    chosen = rng.permutation(SETS)[: min(n, SETS)]
    if n > SETS:  # more layers of as many features
        parts = [_judged(rng, min(SETS, n - start), mean, dead) for start in range(0, n, SETS)]
        return tuple(np.concatenate(each) for each in zip(*parts, strict=True))
    pictures = _unit(signal * sets[chosen] + _unit(rng.normal(size=(len(chosen), WIDE))))
    likeness = pictures @ sets.T
    told, others = (
        (np.take_along_axis(likeness, whose[:, None], 1) > likeness).sum(1) / (SETS - 1)
        for whose in (chosen, np.roll(chosen, 1))
    )
    silent = rng.random(len(chosen)) < dead
    return np.where(silent, 0.5, told), np.where(silent, 0.5, others)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@lru_cache(maxsize=64)
def _signal_of(mean: float) -> float:
    """The share of its feature in a picture at which a judge tells it this well in the mean, found on a grid."""
    signals, rng, told = np.linspace(-0.6, 3, 37), np.random.default_rng(0), []
    sets = _unit(rng.normal(size=(4000 * SETS, WIDE))).reshape(4000, SETS, WIDE)
    noise = _unit(rng.normal(size=(4000, WIDE)))
    for signal in signals:  # the same sets and noise at each, so that the course is smooth
        likeness = np.einsum("tc,tsc->ts", signal * sets[:, 0] + noise, sets)
        told.append((likeness[:, :1] > likeness[:, 1:]).mean())
    return float(np.interp(mean, told, signals))


def families_below_ceiling(rng: Rng, n: int, effect: float, families: int = 6) -> Mapping[str, Comparison]:
    """variants: identification less its ceiling, n features of each of six families."""
    each, controls = {}, {}
    for family in map(str, range(families)):
        ceiling = _judged(rng, n, 0.7)[0]
        told, others = _judged(rng, n, 0.7 + effect)
        each[family], controls[family] = Means({family: told - ceiling}), Means({family: others - ceiling})
    return {"": Comparison(each, controls)}


def recipe_over_recipe(rng: Rng, n: int, effect: float) -> Mapping[str, Comparison]:
    """augmentations: the whole recipe minus one with less, paired by feature."""

    def gain(lost: float) -> Means:
        easy = 0.15 * rng.normal(size=n)
        whole, less = (mean + easy + 0.1 * rng.normal(size=n) for mean in (0.6, 0.6 - lost))
        return Means({"vit": whole - less})

    return {"": Comparison({"vit": gain(effect)}, gain(0.0))}


BLOCKS, WIDTH = 9, 128


def thirds_of_depth(rng: Rng, n: int, effect: float) -> Mapping[str, Comparison]:
    """depth_progression: from the first third of the blocks to the middle one mean information rises by ``effect`` of
    the last one's, and then by more; ``n`` images move all features of a block together, features differ."""
    course = np.repeat([0.6 - effect, 0.6, 1.0], BLOCKS // 3)
    own, flat = (_information(rng, n, each) for each in (course, np.full(BLOCKS, 0.3)))
    return {
        what: Comparison({"": own(lambda t, i=i: (t[i + 1] - t[i]) / t.max())}, flat(lambda t, i=i: t[i + 1] - t[i]))
        for what, i in (("first to middle", 0), ("middle to last", 1))
    }


def depth_of_rise(rng: Rng, n: int, effect: float) -> Mapping[str, Comparison]:
    """depth_progression: how much deeper one course rises than another, mean over a quarter to three quarters of its
    highest value."""
    depths = np.linspace(0, 1, BLOCKS)
    deep, flat = depths, np.minimum(depths / (1.0 - 2 * effect), 1)
    pairs = [(deep, flat), (deep, deep)]
    own, control = ([_information(rng, n, each, of_thirds=False) for each in pair] for pair in pairs)
    return {"": Comparison({"": own[0](_rise) - own[1](_rise)}, control[0](_rise) - control[1](_rise))}


def _rise(course: np.ndarray) -> float:
    highest_yet = np.maximum.accumulate(course) / course.max()
    return float(np.interp(np.linspace(0.25, 0.75, 51), highest_yet, np.linspace(0, 1, BLOCKS)).mean())


def _information(
    rng: Rng, n: int, course: np.ndarray, of_thirds: bool = True
) -> Callable[[Callable[[np.ndarray], float]], Jackknifed]:
    """Of features whose mean information is ``course`` by block: from a function of the course (or of its thirds) to
    the statistic."""
    block, name = np.repeat(np.arange(BLOCKS), WIDTH), str(rng.random())
    told = course[block] + 0.5 * rng.normal(size=len(block))
    of_group = 0.03 * np.sqrt(GROUPS * 2000 / n) * rng.normal(size=(GROUPS, BLOCKS))[:, block]

    def by_block(values: np.ndarray, kept: np.ndarray) -> np.ndarray:
        means = np.bincount(block[kept], values[kept]) / np.bincount(block[kept])
        return means.reshape(3, -1).mean(1) if of_thirds else means

    everything, whole = np.arange(len(block)), told + of_group.mean(0)
    without = {
        "images": [by_block(told + (of_group.sum(0) - each) / (GROUPS - 1), everything) for each in of_group],
        f"{name} features": [by_block(whole, np.delete(everything, part)) for part in groups(len(block))],
    }

    def of(function: Callable[[np.ndarray], float]) -> Jackknifed:
        parts = {what: np.array([function(each) for each in courses]) for what, courses in without.items()}
        return Jackknifed(function(by_block(whole, everything)), parts, f"{n} images, {len(block)} features")

    return of


def concepts_counted(rng: Rng, n: int, effect: float, concepts: int = 8) -> Mapping[str, Comparison]:
    """language_concepts: by concept, an AUROC's excess over that of pixels, one model minus another; ``n`` held-out
    images, a quarter of which show each concept. A mean of placements stands for an AUROC."""
    shows = (rng.random((concepts, n)) < 0.25).astype(float)
    count = resampled_means(shows)

    def auroc(mean: float) -> list[Resampled]:
        placed = mean + 0.25 * rng.normal(size=(concepts, n))
        return [ratio(part, every) for part, every in zip(resampled_means(shows * placed), count, strict=True)]

    pixels = auroc(0.55)

    def excess(mean: float) -> list[Resampled]:
        pairs = zip(auroc(mean), pixels, strict=True)
        return [combined(lambda a, b: np.maximum(a - np.maximum(b, 0.5), 0), *pair) for pair in pairs]

    label, clip, nothing = excess(0.7), excess(0.7 + effect), excess(0.6)
    each, control = ({str(i): of[i] - label[i] for i in range(concepts)} for of in (clip, nothing))
    return {"": Comparison(each, control)}


KINDS = (  # the slowest first
    Kind("concepts_counted", "language_concepts", 1000, 0.05, 0.0, 0.15, concepts_counted, counts=True),
    Kind("share_of_accuracy", "isolated_cls, head_on_patches", 600, 0.8, 0.0, 0.934, share_of_accuracy),
    Kind("best_position", "head_on_patches", 600, 0.85, 0.0, 0.952, best_position),
    Kind("difference_of_families", "background, low_pass", 600, 0.02, 0.0, 0.132, difference_of_families, every=True),
    Kind("step_of_last_block", "local_until_last, learned_pooling", 300, 0.05, 0.0, 0.2, step_of_last_block),
    Kind("share_of_the_range", "local_until_last", 300, 0.5, 0.0, 0.9, share_of_the_range),
    Kind("best_map_of_each_class", "maps_localize", 36, 0.05, -0.1, 0.1, best_map_of_each_class),
    Kind("site_over_site", "ffn_over_qkv", 10, 0.05, 0.0, 0.2, site_over_site),
    Kind("families_below_ceiling", "variants", 8, -0.05, -0.2, 0.0, families_below_ceiling),
    Kind("recipe_over_recipe", "augmentations", 10, 0.02, 0.0, 0.1, recipe_over_recipe),
    Kind("thirds_of_depth", "depth_progression", 2000, 0.1, 0.0, 0.3, thirds_of_depth),
    Kind("depth_of_rise", "depth_progression", 2000, 0.1, 0.0, 0.3, depth_of_rise),
)
