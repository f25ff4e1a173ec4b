"""Which factor of the images explains a feature: mutual information, and what its top images have in common."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import chi2, false_discovery_control, rankdata

from vitexplore.statistics.splits import FALSE_DISCOVERIES

BINS = 8  # of a feature's activations, equally full
TOP = 10  # images
CATEGORY = "category"  # known from the class: what explains a feature is then called the class


def binned(acts_nf: np.ndarray) -> np.ndarray:
    """Which of BINS equally full bins each activation falls in, int64 [n, f]; equal ones fall in one."""
    return ((rankdata(acts_nf, axis=0) - 0.5) * BINS / len(acts_nf)).astype(np.int64)


def mutual_information(bins_nf: np.ndarray, values_n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bits that each feature, by its bin, tells of a factor's value, float64 [f], and how probable as many were of a
    feature that tells nothing, float64 [f] (the chi-squared limit). The mean that such a feature has is taken off:
    (bins - 1) (values - 1) / (2 n ln 2) (Miller 1955), times what values exchanged among the images have of that: 1
    where images are many, less where a value has few. Around 0 where there is nothing."""
    unit = 1 / (2 * len(bins_nf) * np.log(2))
    # fewer are filled where many activations are equal, as a ReLU's zeros
    filled = sum((bins_nf == b).any(0) for b in range(BINS))
    freedom = (filled - 1) * (len(np.unique(values_n)) - 1)
    bits = _bits(bins_nf, values_n)
    if not freedom.any():
        return bits, np.ones(len(bits))
    exchanged = _bits(bins_nf, np.random.default_rng(0).permutation(values_n))
    scale = exchanged.mean() / (unit * freedom.mean())
    probability = np.where(freedom > 0, chi2.sf(bits / (unit * scale), np.maximum(freedom, 1)), 1.0)
    return bits - scale * unit * freedom, probability


def _bits(bins_nf: np.ndarray, values_n: np.ndarray) -> np.ndarray:
    """Mutual information of the table of bins and values itself, float64 [f]."""
    shows_vn, _ = _shows(values_n)
    in_bin = (np.asarray(bins_nf == b, dtype=np.float32) for b in range(BINS))
    together_fbv = np.stack([(shows_vn @ fallen).T for fallen in in_bin], axis=1, dtype=np.float64) / len(bins_nf)
    apart_fbv = together_fbv.sum(2, keepdims=True) * together_fbv.sum(1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(together_fbv > 0, together_fbv * np.log2(together_fbv / apart_fbv), 0.0)
    return terms.sum((1, 2))


def top_images(acts_nf: np.ndarray) -> np.ndarray:
    """bool [n, f]: the TOP most activating images of each feature."""
    top_kf = np.argsort(-acts_nf, axis=0, kind="stable")[:TOP]
    chosen_nf = np.zeros(acts_nf.shape, dtype=bool)
    np.put_along_axis(chosen_nf, top_kf, True, axis=0)
    return chosen_nf


def purity(top_nf: np.ndarray, values_n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the ``top_images`` of each feature: the share that have their most frequent value, float64 [f], and that
    value, text [f]."""
    shows_vn, values = _shows(values_n)
    counts_vf = shows_vn @ top_nf
    return counts_vf.max(0) / top_nf.sum(0), values[counts_vf.argmax(0)]


def _shows(values_n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which images show which value, float32 [v, n], and the values."""
    values, coded = np.unique(values_n, return_inverse=True)
    return (coded == np.arange(len(values))[:, None]).astype(np.float32), values


def information_table(block: int, acts_nf: np.ndarray, factors: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """A row for each feature of a block: ``information_<factor>`` in bits; ``explained_by``, the factor of which it
    tells most, or "" where none is told from chance (at a false discovery rate of FALSE_DISCOVERIES over the block's
    features and factors), with ``bits``, and the ``value`` that its top images have most in common, with ``purity``;
    ``purity_<factor>`` of class and category."""
    bins_nf, top_nf = binned(acts_nf), top_images(acts_nf)
    found = {name: mutual_information(bins_nf, values) for name, values in factors.items()}
    pure = {name: purity(top_nf, values) for name, values in factors.items()}
    table = pd.DataFrame({"block": block, "feature": np.arange(acts_nf.shape[1])})
    for name, (bits, _) in found.items():
        table[f"information_{name}"] = bits
    competing = [name for name in factors if name != CATEGORY]
    bits_cf = np.stack([found[name][0] for name in competing])
    chance_cf = np.stack([found[name][1] for name in competing])
    adjusted_cf = false_discovery_control(chance_cf, axis=None).reshape(chance_cf.shape)
    told_cf = adjusted_cf <= FALSE_DISCOVERIES
    best, known = np.where(told_cf, bits_cf, -np.inf).argmax(0), told_cf.any(0)
    each = np.arange(len(table))
    table["explained_by"] = np.where(known, np.array(competing)[best], "")
    table["bits"] = bits_cf[best, each]
    table["value"] = np.where(known, np.stack([pure[name][1] for name in competing])[best, each], "")
    table["purity"] = np.stack([pure[name][0] for name in competing])[best, each]
    for name in ("class", CATEGORY):
        table[f"purity_{name}"] = pure[name][0]
    return table
