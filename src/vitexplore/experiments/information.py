"""Which factor of the images explains a feature: mutual information, and what its top images have in common."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import chi2, false_discovery_control, rankdata

BINS = 8  # of a feature's activations, equally full
TOP = 10  # images
FALSE_DISCOVERIES = 0.05
CATEGORY = "category"  # known from the class, so that it can never explain more


def mutual_information(acts_nf: np.ndarray, values_n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bits that each feature, in BINS equally full bins, tells of a factor's value, float64 [f], and how probable as
    many were of a feature that tells nothing, float64 [f] (the chi-squared limit). The mean that such a feature has,
    (bins - 1) (values - 1) / (2 n ln 2) (Miller 1955), is taken off: around 0 where there is nothing."""
    count, features = acts_nf.shape
    bins_nf = ((rankdata(acts_nf, axis=0) - 0.5) * BINS / count).astype(np.int64)
    values, coded = np.unique(values_n, return_inverse=True)
    shows_vn = (coded == np.arange(len(values))[:, None]).astype(np.float64)
    together_fbv = np.stack([(shows_vn @ (bins_nf == b)).T for b in range(BINS)], axis=1) / count
    apart_fbv = together_fbv.sum(2, keepdims=True) * together_fbv.sum(1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(together_fbv > 0, together_fbv * np.log2(together_fbv / apart_fbv), 0.0)
    bits = terms.sum((1, 2))
    # a feature of many equal activations (a ReLU's zeros) fills fewer bins
    freedom = ((together_fbv.sum(2) > 0).sum(1) - 1) * (len(values) - 1)
    probability = np.where(freedom > 0, chi2.sf(2 * count * np.log(2) * bits, np.maximum(freedom, 1)), 1.0)
    return bits - freedom / (2 * count * np.log(2)), probability


def purity(acts_nf: np.ndarray, values_n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each feature's TOP most activating images: the share that have their most frequent value, float64 [f], and
    that value, text [f]."""
    top_kf = np.argsort(-acts_nf, axis=0, kind="stable")[:TOP]
    values, coded = np.unique(values_n, return_inverse=True)
    counts_vf = (coded[top_kf][None] == np.arange(len(values))[:, None, None]).sum(1)
    return counts_vf.max(0) / len(top_kf), values[counts_vf.argmax(0)]


def information_table(block: int, acts_nf: np.ndarray, factors: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """A row for each feature of a block: ``information_<factor>`` in bits; ``explained_by``, the factor of which it
    tells most, or "" where none is told from chance (at a false discovery rate of FALSE_DISCOVERIES over the block's
    features and factors), with ``bits``, and the ``value`` that its top images have most in common, with ``purity``;
    ``purity_<factor>`` of class and category."""
    found = {name: mutual_information(acts_nf, values) for name, values in factors.items()}
    pure = {name: purity(acts_nf, values) for name, values in factors.items()}
    table = pd.DataFrame({"block": block, "feature": np.arange(acts_nf.shape[1])})
    for name, (bits, _) in found.items():
        table[f"information_{name}"] = bits
    competing = [name for name in factors if name != CATEGORY]
    bits_cf = np.stack([found[name][0] for name in competing])
    chance_cf = np.stack([found[name][1] for name in competing])
    adjusted_cf = false_discovery_control(chance_cf, axis=None).reshape(chance_cf.shape)
    best = bits_cf.argmax(0)
    each = np.arange(len(table))
    known = adjusted_cf[best, each] <= FALSE_DISCOVERIES
    table["explained_by"] = np.where(known, np.array(competing)[best], "")
    table["bits"] = bits_cf[best, each]
    table["value"] = np.where(known, np.stack([pure[name][1] for name in competing])[best, each], "")
    table["purity"] = np.stack([pure[name][0] for name in competing])[best, each]
    for name in ("class", CATEGORY):
        table[f"purity_{name}"] = pure[name][0]
    return table
