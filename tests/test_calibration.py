"""The rule keeps its promises on made tables: a short form of results/reference/calibration.csv."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vitexplore.statistics.calibration import BLOCKS, KINDS, WIDTH, _slope, _tau, calibrate

SIMULATIONS = 60
KEPT = Path(__file__).parent.parent / "results/reference/calibration.csv"


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_what_is_not_there_is_not_seen_and_what_is_there_is(kind):
    absent = calibrate(kind, "absent", kind.absent, kind.n, SIMULATIONS // 3)
    assert absent["seen"] == 0
    margin = calibrate(kind, "margin", kind.margin, kind.n, SIMULATIONS)
    assert margin["seen"] <= 0.12  # 0.025 and three standard errors of 60 tables
    assert margin["coverage"] >= 0.85
    wanted = calibrate(kind, "wanted", kind.wanted, 16 * kind.n if kind.n < 100 else kind.n, SIMULATIONS // 3)
    assert wanted["seen"] >= 0.8 and wanted["fails"] == 0


@pytest.mark.parametrize("true", [0.0, 0.1, 0.5])
def test_features_are_made_with_the_tau_that_is_asked_for(true):
    rng, block = np.random.default_rng(0), np.repeat(np.arange(BLOCKS), WIDTH)
    found = [_tau(block, _slope(true) * block + rng.normal(size=len(block))) for _ in range(20)]
    assert np.mean(found) == pytest.approx(true, abs=4 * np.std(found) / np.sqrt(20) + 1e-3)


def test_the_kept_calibration_keeps_the_promises():
    table = pd.read_csv(KEPT)
    assert set(table["statistic"]) == {kind.name for kind in KINDS}
    assert (table["simulations"] >= 2000).all()
    error = 3 * np.sqrt(0.025 * 0.975 / 2000)
    assert (table[table["what"] == "margin"]["seen"] <= 0.025 + error).all()
    assert (table[table["what"] == "absent"]["seen"] <= 0.01).all()
    assert (table["coverage"] >= 0.93).all()
    assert (table[table["what"] == "wanted"].groupby("statistic")["seen"].max() >= 0.95).all()
