"""The rule keeps its promises on made tables: a short form of results/reference/calibration.csv."""

from pathlib import Path

import pandas as pd
import pytest

from vitexplore.statistics.calibration import ENOUGH, LARGEST, calibrate
from vitexplore.statistics.made_tables import KINDS

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
    assert wanted["seen"] >= 0.8 and wanted["short"] == 0


@pytest.mark.skipif(not KEPT.exists(), reason="`snakemake calibration` has not been run since the rule changed")
def test_the_kept_calibration_keeps_the_promises():
    table = pd.read_csv(KEPT)
    assert set(table["statistic"]) == {kind.name for kind in KINDS}
    fixed = table[table["what"].isin(["margin", "absent"])]
    assert (fixed["simulations"] >= 2000).all()
    margin, absent = (fixed[fixed["what"] == what] for what in ("margin", "absent"))
    assert (margin["seen"] <= 0.035).all() and (margin["opposite"] <= 0.01).all()
    assert margin["coverage"].between(0.93, 0.97).all()
    assert (absent["seen"] <= 0.01).all()
    for what, word in (("wanted", "seen"), ("1.2", "seen"), ("0.8", "short")):
        rows = table[table["what"] == what]
        enough = rows.groupby("statistic").agg(reached=(word, "max"), most=("n", "max"), first=("n", "min"))
        assert ((enough["reached"] >= ENOUGH) | (enough["most"] == LARGEST * enough["first"])).all()
