"""The claims page: how an interval is drawn, what the kept pages show, and that all their links lead somewhere."""

import re
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from pages import lead_nowhere

from vitexplore.claims.instrument import KEPT as TWINS
from vitexplore.claims.instrument import instrument_code
from vitexplore.claims.page import ATLAS, WIDTH, claims_fragment, claims_page, drawing
from vitexplore.claims.render import decisive, interval
from vitexplore.claims.run import code_version
from vitexplore.claims.text import ORDER, claims_in_order

ROOT = Path(__file__).parent.parent
KEPT = [ROOT / "results/reference", *(ROOT / "results/reference" / name for name in ("lab", "photos"))]
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
    assert all(f">{interval(row)}<" in page or f">{interval(row)}, {row['comparison']}<" in page for row in rows)
    assert [name for name in ORDER if f'<section id="{name}"' not in page] == []
    assert page.count("<svg viewBox") == sum(pd.notna(row["measured"]) for row in rows)
    assert "<script" not in page


def test_a_page_beside_an_atlas_leads_to_the_features_of_each_claim():
    page = claims_page(KEPT[0], ROOT, atlas=True)
    assert all(page.count(f'href="{ATLAS}#claims/{name}"') == 2 for name in ORDER)  # in the table and below
    assert ATLAS not in claims_page(KEPT[0], ROOT)


def test_the_fragment_is_the_first_table_alone():
    text = claims_fragment(KEPT[0], ROOT)
    assert all(f'href="claims.html#{name}"' in text for name in ORDER)
    assert "<section" not in text and text.count("<table") == 1


@pytest.fixture
def checkout(tmp_path):
    """A checkout whose kept table is one of three twins of low_pass, of one of which nothing is wanted."""
    for name in ("analyses", "workflow", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    code = instrument_code(claims_in_order(ROOT / "analyses")["low_pass"])
    twins = [
        ("coarse_vit", "has it", 0.25, "seen", 0.02, "undecided", "insensitive"),
        ("coarse_vit", "ladder", 0.5, None, 0.004, "not seen", None),
        ("same_network", "lacks it", 0, "not seen", None, "no room", "not validated"),
        ("other", None, 1, None, 0.3, "seen", None),
    ]
    columns = ["twin", "kind", "strength", "wanted", "measured", "word", "instrument"]
    table = pd.DataFrame(twins, columns=columns).assign(claim="low_pass", statement="ideal", code=code)
    table = table.assign(low=table["measured"] - 0.01, high=table["measured"] + 0.01)
    (tmp_path / TWINS).parent.mkdir(parents=True)
    table.to_csv(tmp_path / TWINS, index=False)
    pd.read_csv(KEPT[0] / "claims.csv").to_csv(tmp_path / TWINS.parent / "claims.csv", index=False)
    return tmp_path


def test_a_claim_leads_to_its_twins(checkout):
    page = claims_page(checkout / TWINS.parent, checkout)
    (checkout / TWINS.parent / "claims.html").write_text(page)
    assert page.count('href="#low_pass-twins"') == 2 and page.count('-twins">') == 3  # in the table, above, and there
    cells = "<td>has it</td><td>0.25</td><td>seen</td><td>0.020 (0.010 to 0.030)</td><td>undecided (insensitive)</td>"
    assert f'<tr><th scope="row">coarse_vit</th>{cells}</tr>' in page
    assert "<td>ladder</td><td>0.5</td><td></td><td>0.004 (-0.006 to 0.014)</td><td>not seen</td>" in page
    assert "<td>not measured</td><td>no room (not validated)</td>" in page
    assert '<th scope="row">other</th>' not in page
    assert page.count('href="../../docs/instruments.md"') == page.count(f'href="../../{TWINS}"') == 2 * len(ORDER)
    fragment = claims_fragment(checkout / TWINS.parent, checkout)
    assert 'href="claims.html#low_pass-twins"' in fragment and fragment.count("-twins") == 1


def test_twins_that_other_code_measured_are_not_shown(checkout):
    table = pd.read_csv(checkout / TWINS).assign(code="other")
    table.to_csv(checkout / TWINS, index=False)
    assert "-twins" not in claims_page(checkout / TWINS.parent, checkout)


def test_the_instrument_stands_beside_each_statements_word():
    rows = decisive(pd.read_csv(KEPT[0] / "claims.csv"))
    pair = r'<td data-label="instrument">([\w ]+)</td>\n<td><span class="word \w+">([\w ]+)<'
    found = re.findall(pair, claims_page(KEPT[0], ROOT).partition("The statements</h2>")[2])
    assert found == list(rows[["instrument", "word"]].itertuples(index=False, name=None))


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
