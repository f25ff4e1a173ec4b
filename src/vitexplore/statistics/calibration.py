"""Does the rule keep its promises? On made tables of known truth, of every kind of statistic, at the n in use.

``calibrate`` makes many tables of a kind (made_tables.py) and counts the words, and how often the interval covers the
truth.
"""

from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import pandas as pd
from scipy.stats import norm

from vitexplore.progress import track
from vitexplore.statistics.made_tables import KINDS, Kind
from vitexplore.statistics.verdict import (
    NOT_SEEN,
    OPPOSITE,
    SEEN,
    WEAKER,
    Comparison,
    Evidence,
    Threshold,
    counted,
    evidence,
    of_all,
)

ENOUGH = 0.95  # tables in which an effect that is wanted should be seen
LARGEST, FEWER = 16, 20  # times the n in use at which we stop looking, with so many times fewer tables
SHORT = (WEAKER, NOT_SEEN, OPPOSITE)


def judged(kind: Kind, comparisons: Mapping[str, Comparison]) -> Evidence:
    """The evidence of a made table, as claims/numbers.py weighs that of a measured one."""
    wanted = Threshold("above", kind.margin)
    if not (kind.every or kind.counts):
        return evidence([one.compared for one in comparisons.values()], wanted)
    (comparison,) = comparisons.values()
    each = {name: evidence([one], wanted) for name, one in comparison.compared_each.items()}
    if kind.every:
        return of_all(list(each.values()))
    values = {name: one.measured.value for name, one in comparison.compared_each.items()}
    count = counted(each, values, kind.margin, "")
    sure = {"beyond": 0.0 if count.low > 0 else 1.0, "short": 0.0 if count.high < 1 else 1.0}
    return Evidence(**sure, forth=sure["beyond"], back=1.0, ahead=0.0)


def calibrate(kind: Kind, what: str, effect: float, n: int, simulations: int, seed: int = 0) -> dict[str, object]:
    """A row for ``simulations`` made tables: ``seen``, ``short`` (weaker, not seen or opposite) and ``opposite``, the
    shares with these words; ``coverage``, that in which the first comparison's interval covers the true value;
    ``width``, the interval's, mean; ``excess``, that over 3.92 standard deviations of the measured values, which would
    cover 95 percent of them."""
    words, values, covered, widths = [], [], [], []
    for number in range(simulations):
        comparisons = kind.draw(np.random.default_rng([seed, number]), n, effect)
        words.append(judged(kind, comparisons).word)
        found = next(iter(comparisons.values())).compared.measured
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
        "seen": np.mean([word == SEEN for word in words]),
        "short": np.mean([word in SHORT for word in words]),
        "opposite": np.mean([word == OPPOSITE for word in words]),
        "coverage": np.mean(covered),
        "bias": np.mean(values) - effect,
        "width": width,
        "excess": width / (2 * norm.ppf(0.975) * np.std(values, ddof=1)) - 1,
    }


def of_kind(kind: Kind, simulations: int) -> list[dict[str, object]]:
    """``calibrate`` at the margin and at the control's value; at the effect that is wanted and at 0.8 and 1.2 times the
    margin, and where the word that is right has fewer than 95 of 100 tables, also with twice as many units, and so on,
    until it has."""
    rows = [calibrate(kind, what, getattr(kind, what), kind.n, simulations) for what in ("margin", "absent")]
    for what, effect, word in (
        ("wanted", kind.wanted, "seen"),
        ("0.8", kind.near[0], "short"),
        ("1.2", kind.near[1], "seen"),
    ):
        n = kind.n
        rows.append(calibrate(kind, what, effect, n, simulations))
        while rows[-1][word] < ENOUGH and n < LARGEST * kind.n:
            n *= 2
            rows.append(calibrate(kind, what, effect, n, simulations // FEWER))
    return rows


def calibration(simulations: int, workers: int) -> pd.DataFrame:
    """The rows of every kind (``of_kind``), each in a process of its own."""
    with ProcessPoolExecutor(workers) as pool:
        found = pool.map(partial(of_kind, simulations=simulations), KINDS)
        return pd.DataFrame([row for rows in track(found, "calibration", len(KINDS)) for row in rows])
