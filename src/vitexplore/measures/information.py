"""Which factor of the images explains a feature: mutual information, and what its top images have in common."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import chi2, false_discovery_control, rankdata

from vitexplore.statistics.splits import FALSE_DISCOVERIES, groups

BINS = 8  # of a feature's activations, equally full
JACKKNIFED = ("class", "hue", "orientation")  # factors of which information gets an interval over images
TOP = 10  # images
CATEGORY = "category"  # known from the class: what explains a feature is then called the class


def binned(acts_nf: np.ndarray) -> np.ndarray:
    """Which of BINS equally full bins each activation falls in, int64 [n, f]; equal ones fall in one."""
    return ((rankdata(acts_nf, axis=0) - 0.5) * BINS / len(acts_nf)).astype(np.int64)


def mutual_information(bins_nf: np.ndarray, values_n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bits that each feature, by its bin, tells of a factor's value, float64 [f], and how probable as many were of a
    feature that tells nothing, float64 [f] (the chi-squared limit). The mean that such a feature has is taken off (see
    ``_chance``): around 0 where there is nothing."""
    freedom_f, bits_each = _chance(bins_nf, values_n)
    bits_f = _bits(_counts(bins_nf, _shows(values_n)[0]))
    probability_f = np.where(freedom_f > 0, chi2.sf(bits_f / bits_each, np.maximum(freedom_f, 1)), 1.0)
    return bits_f - bits_each * freedom_f, probability_f


def information_without(bins_nf: np.ndarray, values_n: np.ndarray) -> np.ndarray:
    """``mutual_information`` with each of the ``groups`` of images left out in turn, float64 [f, g]: what a
    delete-a-group jackknife needs (Shao and Tu 1995; Kott 2001). Bins stay those of all images. What chance
    alone gives falls as 1/n, so what is taken off is that of all images, times n over how many are left."""
    freedom_f, bits_each = _chance(bins_nf, values_n)
    shows_vn, _ = _shows(values_n)
    all_fbv, images = _counts(bins_nf, shows_vn), len(values_n)
    found = []
    for group in groups(images):
        bits_f = _bits(all_fbv - _counts(bins_nf[group], shows_vn[:, group]))
        found.append(bits_f - bits_each * freedom_f * images / (images - len(group)))
    return np.stack(found, axis=1)


def _chance(bins_nf: np.ndarray, values_n: np.ndarray) -> tuple[np.ndarray, float]:
    """Degrees of freedom of each feature's table of bins and values, (bins - 1) (values - 1), [f], and the bits of one
    of them where a feature tells nothing: measured with the values exchanged among the images. Where images are
    many that is 1 / (2 n ln 2) (Miller 1955); it is less where a value has few."""
    shows_vn, values = _shows(np.random.default_rng(0).permutation(values_n))
    exchanged_fbv = _counts(bins_nf, shows_vn)
    # fewer bins are filled where many activations are equal, as a ReLU's zeros
    freedom_f = (exchanged_fbv.any(2).sum(1) - 1) * (len(values) - 1)
    if not freedom_f.any():
        return freedom_f, 1 / (2 * len(bins_nf) * np.log(2))
    return freedom_f, float(_bits(exchanged_fbv).mean() / freedom_f.mean())


def _counts(bins_nf: np.ndarray, shows_vn: np.ndarray) -> np.ndarray:
    """How many images fall in each bin and show each value, of each feature: float64 [f, b, v]."""
    in_bin = (np.asarray(bins_nf == b, dtype=np.float32) for b in range(BINS))
    return np.stack([(shows_vn @ fallen).T for fallen in in_bin], axis=1, dtype=np.float64)


def _bits(counts_fbv: np.ndarray) -> np.ndarray:
    """Mutual information of bins and values by the table itself, float64 [f]."""
    together_fbv = counts_fbv / counts_fbv.sum((1, 2), keepdims=True)
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
    """A row for each feature of a block: ``information_<factor>`` in bits; of JACKKNIFED ``<factor>_without``, float32
    [GROUPS], see ``information_without``; ``explained_by``, the factor of which it tells most, or "" where none is told
    from chance (at a false discovery rate of FALSE_DISCOVERIES over the block's features and factors), with ``bits``,
    and the ``value`` that its top images have most in common, with ``purity``; ``purity_<factor>`` of class and
    category."""
    bins_nf, top_nf = binned(acts_nf), top_images(acts_nf)
    found = {name: mutual_information(bins_nf, values) for name, values in factors.items()}
    pure = {name: purity(top_nf, values) for name, values in factors.items()}
    table = pd.DataFrame({"block": block, "feature": np.arange(acts_nf.shape[1])})
    for name, (bits, _) in found.items():
        table[f"information_{name}"] = bits
    for name in JACKKNIFED:
        table[f"{name}_without"] = list(information_without(bins_nf, factors[name]).astype(np.float32))
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
