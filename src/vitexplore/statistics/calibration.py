"""Does the rule keep its promises? Made tables of known truth, of every kind of statistic, at the n in use.

A kind draws a table in which its statistic's true value is ``effect`` and its control's ``absent``, and makes the
comparison of it that the analyses make. ``calibrate`` does so many times and counts: how often the statement holds, and
fails, and how often the interval covers the truth.
"""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from scipy.stats import kendalltau, norm

from vitexplore.progress import track
from vitexplore.statistics.intervals import (
    Jackknifed,
    Means,
    Resampled,
    combined,
    mean_of,
    resampled_mean,
    resampled_means,
)
from vitexplore.statistics.splits import GROUPS, groups
from vitexplore.statistics.verdict import FAILS, HOLDS, Comparison, of_statement

Rng = np.random.Generator
ENOUGH = 0.95  # tables in which an effect that is wanted should be seen
LARGEST = 64  # times the n in use at which we stop looking


@dataclass(frozen=True)
class Kind:
    """A kind of statistic: ``draw(rng, n, effect)`` gives the comparisons of one made table, the first of which has the
    true value ``effect``. ``n``: units in use in the lab; ``margin``; ``absent``: what the statistic is where there is
    nothing; ``wanted``: an effect that should be seen, the paper's or a planted one; ``one_control``: see
    ``of_statement``."""

    name: str
    of: str
    n: int
    margin: float
    absent: float
    wanted: float
    draw: Callable[[Rng, int, float], list[Comparison]]
    one_control: bool = False


def _correlated_hits(rng: Rng, n: int, accuracies: list[float], shared: float = 0.5) -> np.ndarray:
    """bool [len(accuracies), n]: hits at these rates, correlated over images as models' are, for some are hard."""
    hard = rng.normal(size=n)
    own = rng.normal(size=(len(accuracies), n))
    latent = np.sqrt(shared) * hard + np.sqrt(1 - shared) * own
    return latent < norm.ppf(accuracies)[:, None]


CHANCE, NATURAL, SEEDS = 1 / 16, 0.9, 3


def share_of_accuracy(rng: Rng, n: int, effect: float) -> list[Comparison]:
    """isolated_cls, head_on_patches: accuracy above chance after a surgery over the natural one; three seeds."""
    rates = [NATURAL, CHANCE + effect * (NATURAL - CHANCE)] * SEEDS + [CHANCE]
    *means, nothing = _above_chance(rng, n, rates)
    each = {f"seed {seed}": _ratio(*means[2 * seed : 2 * seed + 2]) for seed in range(SEEDS)}
    return [Comparison(each, _ratio(means[0], nothing))]


def difference_of_families(rng: Rng, n: int, effect: float) -> list[Comparison]:
    """background, low_pass: what a ViT keeps minus what a CNN keeps; three seeds of each."""
    rates = []
    for share in (0.3 + effect, 0.3):
        rates += [NATURAL, CHANCE + share * (NATURAL - CHANCE)] * SEEDS
    means = _above_chance(rng, n, [*rates, CHANCE, CHANCE])
    kept = [_ratio(*means[at : at + 2]) for at in range(0, 4 * SEEDS, 2)]
    each = {f"seed {seed}": kept[seed] - kept[seed + SEEDS] for seed in range(SEEDS)}
    return [Comparison(each, _ratio(means[0], means[-2]) - _ratio(means[2 * SEEDS], means[-1]))]


def _above_chance(rng: Rng, n: int, rates: list[float]) -> list[Resampled]:
    return resampled_means(_correlated_hits(rng, n, rates) - CHANCE)


def _ratio(whole: Resampled, part: Resampled) -> Resampled:
    return combined(np.divide, part, whole)


def step_of_last_block(rng: Rng, n: int, effect: float, inner: int = 6) -> list[Comparison]:
    """local_until_last, learned_pooling: the last block's step minus each inner one's; images differ, and alike in all
    blocks. The first inner step is the largest: ``effect`` less than the last."""
    last = 0.3
    steps = np.array([last - effect, *np.full(inner - 1, last - effect - 0.1), last])

    def course(true: np.ndarray) -> list[Resampled]:
        noise = 0.1 * rng.normal(size=(1, n)) + 0.05 * rng.normal(size=(len(true), n))
        return resampled_means(true[:, None] * (1 + 0.3 * rng.normal(size=(1, n))) + noise)

    trained, control = [course(steps) for _ in range(SEEDS)], course(np.zeros(inner + 1))
    return [
        Comparison({f"seed {s}": y[-1] - y[b] for s, y in enumerate(trained)}, control[-1] - control[b])
        for b in range(inner)
    ]


def maps_over_baseline(rng: Rng, n: int, effect: float) -> list[Comparison]:
    """maps_localize: mean over images of an AUROC minus another map's on the same images; three seeds."""
    hard = rng.normal(size=n)
    baseline = 0.7 + 0.1 * hard + 0.1 * rng.normal(size=n)
    each = {f"seed {seed}": resampled_mean(effect + 0.05 * hard + 0.1 * rng.normal(size=n)) for seed in range(SEEDS)}
    return [Comparison(each, resampled_mean(0.5 + 0.1 * rng.normal(size=n) - baseline))]


def _auroc_like(rng: Rng, n: int, mean: float) -> np.ndarray:
    """float [n] in [0, 1] of this mean, skewed as a judge's answers are: most are near the top."""
    return rng.beta(3 * mean, 3 * (1 - mean), n)


CEILING, DEPTHS = 0.7, 3


def site_over_site(rng: Rng, n: int, effect: float) -> list[Comparison]:
    """ffn_over_qkv: identification less its ceiling, one site minus another, n features of each at three depths."""
    one, other, control = {}, {}, {}
    for site, mean, found in (("ffn", CEILING, one), ("query", CEILING - effect, other)):
        for depth in range(DEPTHS):
            ceiling, chance = _auroc_like(rng, n, CEILING), _auroc_like(rng, n, 0.5)
            found[f"{site} {depth}"] = (_auroc_like(rng, n, mean) - ceiling) / DEPTHS
            sign = 1 if site == "ffn" else -1
            control[f"{site} {depth}"] = sign * (chance - ceiling) / DEPTHS
    return [Comparison({"vit": Means(one) - Means(other)}, Means(control))]


def families_below_ceiling(rng: Rng, n: int, effect: float, families: int = 6) -> list[Comparison]:
    """variants: identification less its ceiling, n features of each of six families."""
    each, controls = {}, []
    for family in range(families):
        ceiling = _auroc_like(rng, n, CEILING)
        each[str(family)] = Means({str(family): _auroc_like(rng, n, CEILING + effect) - ceiling})
        controls.append(Means({str(family): _auroc_like(rng, n, 0.5) - ceiling}))
    return [Comparison(each, mean_of(controls))]


def recipe_less_part(rng: Rng, n: int, effect: float) -> list[Comparison]:
    """augmentations: the whole recipe minus one that lacks a part, paired by feature, for two recipes."""

    def gain(name: str, lost: float) -> Means:
        easy = 0.15 * rng.normal(size=n)
        whole, less = (mean + easy + 0.1 * rng.normal(size=n) for mean in (0.6, 0.6 - lost))
        return Means({name: whole - less})

    return [Comparison({"vit": gain(name, effect)}, gain(f"other {name}", 0.0)) for name in ("paper", "released")]


BLOCKS, WIDTH = 8, 256


def rise_with_depth(rng: Rng, n: int, effect: float) -> list[Comparison]:
    """depth_progression: Kendall's tau of depth and information; ``n`` images move all features of a block together,
    features differ; three seeds."""
    block = np.repeat(np.arange(BLOCKS), WIDTH)

    def tau(name: str, true: float, noise_g: np.ndarray) -> Jackknifed:
        # of two normal features of different blocks the deeper one tells more with probability (1 + tau) / 2
        told = _slope(true) * block + rng.normal(size=len(block))
        of_group = noise_g[:, block] * np.sqrt(GROUPS)  # [groups, features], whose mean over groups is the noise
        whole = told + of_group.mean(0)
        without_images = told + (of_group.sum(0) - of_group) / (GROUPS - 1)
        without = {
            "images": np.array([_tau(block, each) for each in without_images]),
            f"{name} features": np.array([_tau(*np.delete([block, whole], part, 1)) for part in groups(len(block))]),
        }
        return Jackknifed(_tau(block, whole), without, f"{n} images, {len(block)} features")

    noise = rng.normal(size=(GROUPS, BLOCKS)) * np.sqrt(20 / n)
    each = {f"seed {seed}": tau(str(seed), effect, noise) for seed in range(SEEDS)}
    return [Comparison(each, tau("random", 0.0, noise))]


def _tau(block: np.ndarray, told: np.ndarray) -> float:
    return float(kendalltau(block, told).statistic)


def _slope(tau: float) -> float:
    """The rise from block to block, in standard deviations of features, that gives Kendall's tau-b ``tau``: found on
    a grid, from the probability that the deeper of two features tells more."""
    slopes, apart = np.linspace(-1, 1, 401), np.arange(1, BLOCKS)
    pairs = (BLOCKS - apart) / (BLOCKS * (BLOCKS - 1) / 2)
    ties = (WIDTH - 1) / (WIDTH * BLOCKS - 1)  # pairs of one block, which tau-b allows for
    concordance = (pairs * (2 * norm.cdf(slopes[:, None] * apart / np.sqrt(2)) - 1)).sum(1)
    return float(np.interp(tau, concordance * np.sqrt(1 - ties), slopes))


def concepts_over_pixels(rng: Rng, n: int, effect: float, concepts: int = 9) -> list[Comparison]:
    """language_concepts: mean over concepts of an AUROC's excess over that of pixels, one model minus another; ``n``
    held-out images, a quarter of which show each concept. A mean of placements stands for an AUROC."""
    shows = (rng.random((concepts, n)) < 0.25).astype(float)
    count = resampled_means(shows)

    def auroc(mean: float) -> list[Resampled]:
        placed = mean + 0.25 * rng.normal(size=(concepts, n))
        return [
            combined(np.divide, part, all_) for part, all_ in zip(resampled_means(shows * placed), count, strict=True)
        ]

    pixels = auroc(0.55)

    def excess(mean: float) -> Resampled:
        pairs = zip(auroc(mean), pixels, strict=True)
        return mean_of([combined(lambda a, b: np.maximum(a - np.maximum(b, 0.5), 0), *pair) for pair in pairs])

    label = excess(0.7)
    each = {f"seed {seed}": excess(0.7 + effect) - label for seed in range(2)}
    return [Comparison(each, excess(0.6) - label)]


KINDS = (
    Kind("share_of_accuracy", "isolated_cls, head_on_patches", 600, 0.8, 0.0, 0.934, share_of_accuracy),
    Kind("difference_of_families", "background, low_pass", 600, 0.02, 0.0, 0.132, difference_of_families),
    Kind("step_of_last_block", "local_until_last, learned_pooling", 300, 0.05, -0.1, 0.2, step_of_last_block, True),
    Kind("maps_over_baseline", "maps_localize", 150, 0.05, -0.2, 0.1, maps_over_baseline),
    Kind("site_over_site", "ffn_over_qkv", 10, 0.05, 0.0, 0.2, site_over_site),
    Kind("families_below_ceiling", "variants", 8, -0.05, -0.2, 0.0, families_below_ceiling),
    Kind("recipe_less_part", "augmentations", 10, 0.02, 0.0, 0.1, recipe_less_part),
    Kind("rise_with_depth", "depth_progression", 2000, 0.1, 0.0, 0.5, rise_with_depth),
    Kind("concepts_over_pixels", "language_concepts", 1000, 0.05, 0.0, 0.1, concepts_over_pixels),
)


def calibrate(kind: Kind, what: str, effect: float, n: int, simulations: int, seed: int = 0) -> dict[str, object]:
    """A row for ``simulations`` made tables: ``seen`` and ``fails``, the shares in which the statement holds and fails;
    ``coverage``, that in which the first comparison's interval covers the true value; ``width``, the interval's, mean;
    ``excess``, that over 3.92 standard deviations of the measured values, which would cover 95 percent of them."""
    decisions, values, covered, widths = [], [], [], []
    for number in range(simulations):
        comparisons = kind.draw(np.random.default_rng([seed, number]), n, effect)
        found = comparisons[0].measured
        decided = [one.decide("above", kind.margin) for one in comparisons]
        decisions.append(of_statement(decided, room=True, one_control=kind.one_control))
        values.append(found.value)
        covered.append(found.low <= effect <= found.high)
        widths.append(found.high - found.low)
    width = float(np.mean(widths))
    return {
        "statistic": kind.name,
        "claims": kind.of,
        "n": n,
        "what": what,
        "effect": effect,
        "simulations": simulations,
        "seen": np.mean([decision == HOLDS for decision in decisions]),
        "fails": np.mean([decision == FAILS for decision in decisions]),
        "coverage": np.mean(covered),
        "bias": np.mean(values) - effect,
        "width": width,
        "excess": width / (2 * norm.ppf(0.975) * np.std(values, ddof=1)) - 1,
    }


def of_kind(kind: Kind, simulations: int) -> list[dict[str, object]]:
    """``calibrate`` at the margin, at the control's value and at the effect that is wanted; where that is seen in fewer
    than 95 of 100 tables, also with twice as many units, and so on, until it is."""
    rows = [calibrate(kind, what, getattr(kind, what), kind.n, simulations) for what in ("margin", "absent", "wanted")]
    n = kind.n
    while rows[-1]["seen"] < ENOUGH and n < LARGEST * kind.n:
        n *= 2
        rows.append(calibrate(kind, "wanted", kind.wanted, n, simulations))
    return rows


def calibration(simulations: int, workers: int) -> pd.DataFrame:
    """The rows of every kind (``of_kind``), each in a process of its own."""
    with ProcessPoolExecutor(workers) as pool:
        found = pool.map(partial(of_kind, simulations=simulations), KINDS)
        return pd.DataFrame([row for rows in track(found, "calibration", len(KINDS)) for row in rows])
