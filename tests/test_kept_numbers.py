"""A kept run's verdicts, tables for people and figures of the paper have the same numbers."""

from pathlib import Path

import pandas as pd
import pytest
from test_second import SHOWN

REFERENCE = Path(__file__).parent.parent / "results/reference"
LAB = 100 / 16  # percent: chance among the lab's classes
ROUNDED = 2e-4  # tables for people have four digits


@pytest.mark.parametrize("folder", [REFERENCE, REFERENCE / "lab"], ids=["thorough", "lab"])
@pytest.mark.parametrize("claim", SHOWN)
def test_a_verdicts_numbers_follow_from_the_table_for_people(folder, claim):
    claims, table = (pd.read_csv(folder / name) for name in ("claims.csv", f"tables/claim_{claim}.csv"))
    for statement, of_table in SHOWN[claim].items():
        rows = claims[(claims["claim"] == claim) & (claims["statement"] == statement)]
        each = rows[rows["scope"].isna() & rows["word"].notna()]
        assert len(each) > 1 or rows["word"].iloc[0] == "not testable"
        for row in each.itertuples():
            assert row.measured == pytest.approx(of_table(table, row.model, LAB), abs=10 * ROUNDED), row.model


def test_the_papers_items_have_the_numbers_of_the_tables():
    tables = REFERENCE / "tables"
    kept = pd.read_csv(tables / "claim_background.csv").query("size == 'own' and fill == 'black' and along != 'pixels'")
    kept = kept[kept["within"].isna()].set_index(["model", "condition"])["retained"]
    item = pd.read_csv(tables / "paper/table2.csv").query("source == 'measured'").set_index(["model", "condition"])
    assert len(item) and (item["value"] - 100 * kept.loc[item.index]).abs().max() < 100 * ROUNDED
    curves = pd.read_csv(tables / "claim_low_pass.csv").query("filter == 'disc'")
    for row in pd.read_csv(tables / "paper/fig14.csv").itertuples():
        mine = curves.query("family == @row.family and strength == @row.cutoff and networks == @row.networks")
        assert (100 * mine["kept"] - row.value).abs().min() < 100 * ROUNDED
    heads = pd.read_csv(tables / "claim_head_on_patches.csv").set_index(["model", "measure"])["top1"]
    item = pd.read_csv(tables / "paper/table1.csv").query("source == 'measured' and measure != 'isolating_cls'")
    for row in item.itertuples():
        assert row.value == pytest.approx(heads[row.model, row.measure], abs=100 * ROUNDED)
