"""The claims page: how an interval is drawn, what the kept pages show, and that all their links lead somewhere."""

import subprocess
from pathlib import Path

import pandas as pd
import pytest
from pages import lead_nowhere

from vitexplore.claims.page import WIDTH, claims_fragment, claims_page, drawing
from vitexplore.claims.render import decisive, interval
from vitexplore.claims.run import code_version
from vitexplore.claims.text import ORDER

ROOT = Path(__file__).parent.parent
KEPT = [ROOT / "results/reference", ROOT / "results/reference/photos"]
ROW = {"measured": 0.4, "low": 0.3, "high": 0.5, "control": 0.0, "control_low": -0.1, "control_high": 0.1}


def row(**columns):
    return ROW | {"direction": "above", "margin": 0.2, "paper": None} | columns


def test_an_interval_is_drawn_to_scale():
    drawn = drawing(row(paper=0.9))
    low, value, high = drawn.measured
    assert low < value < high and value - low == pytest.approx(high - value, abs=0.2)
    assert drawn.control[1] == drawn.zero
    assert drawn.zero < drawn.margin < low < high < drawn.paper < WIDTH
    assert drawn.wanted == (drawn.margin, WIDTH - drawn.margin)


def test_what_is_wanted_lies_on_the_margins_other_side_where_less_is_wanted():
    drawn = drawing(row(direction="below"))
    assert drawn.wanted == (0, drawn.margin) and drawn.paper is None


def test_numbers_that_are_not_finite_are_not_drawn():
    assert drawing(row(high=float("nan"))) is None


@pytest.mark.parametrize("folder", KEPT, ids=lambda folder: folder.name)
def test_all_links_of_a_kept_page_lead_somewhere(folder):
    assert lead_nowhere(folder / "claims.html") == []


@pytest.mark.parametrize("folder", KEPT, ids=lambda folder: folder.name)
def test_a_kept_page_shows_the_kept_rows(folder):
    page = (folder / "claims.html").read_text()
    rows = decisive(pd.read_csv(folder / "claims.csv")).to_dict("records")
    assert all(f">{interval(row)}<" in page for row in rows)
    assert [name for name in ORDER if f'<section id="{name}"' not in page] == []
    assert page.count("<svg viewBox") == len(rows)
    assert "<script" not in page


def test_the_fragment_is_the_first_table_alone():
    text = claims_fragment(KEPT[0], ROOT)
    assert all(f'href="claims.html#{name}"' in text for name in ORDER)
    assert "<section" not in text and text.count("<table") == 1


def test_the_papers_items_are_linked_by_claim(tmp_path):
    pd.read_csv(KEPT[0] / "claims.csv").to_csv(tmp_path / "claims.csv", index=False)
    (tmp_path / "figures").mkdir()
    rows = [("table1", "figures/paper/table1.pdf", "isolated_cls head_on_patches"), ("fig8", "", "language_concepts")]
    pd.DataFrame(rows, columns=["item", "file", "claim"]).to_csv(tmp_path / "figures/paper.csv", index=False)
    page = claims_page(tmp_path, ROOT)
    assert page.count('<a href="figures/paper/table1.pdf">table1</a>') == 4  # two claims, in the table and below
    assert "fig8</a>" not in page


def test_the_code_is_named_by_its_commit_where_it_is_a_checkout(tmp_path):
    assert "commit" not in code_version(tmp_path)
    for words in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "a"],
    ):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert code_version(tmp_path).endswith(f", commit {head[:12]}")
    (tmp_path / "inside").mkdir()
    assert "commit" not in code_version(tmp_path / "inside")
