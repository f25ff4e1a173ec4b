"""README and docs/: short, with a picture, with links that lead somewhere, with the kept results, and with no command
that test_docs_run.py neither runs nor names."""

import re
from pathlib import Path

import pandas as pd
import pytest
import yaml
from documents import ADDING, DOCS, NOT_RUN, PAGES, README, blocks, commands, listed, way_to_run
from project import ROOT

from vitexplore.claims.page import claims_page
from vitexplore.tools.blocks import up_to_date
from vitexplore.tools.estimate import to_markdown
from vitexplore.tools.reference import generated

REFERENCE = ROOT / "results/reference"


def test_readme_is_short_and_has_pictures_with_a_text_in_their_place():
    text = README.read_text()
    assert len(text.splitlines()) <= 150
    pictures = re.findall(r"!\[(.*?)\]\(.*?\.png\)", text)
    assert pictures and all(len(alternative) > 20 for alternative in pictures)


def test_readme_leads_to_every_page_of_docs():
    assert {path.name for path in DOCS.iterdir()} == set(re.findall(r"\(docs/(\w+\.md)\)", README.read_text()))


def anchors(page: Path) -> set[str]:
    """Of its headings, as a browser has them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    paths = [link.partition("#")[::2] for link in links if "://" not in link]
    missing = [path for path, _ in paths if not (page.parent / path).exists()]
    assert not missing
    for path, anchor in paths:
        assert not anchor or anchor in anchors(page.parent / path if path else page), f"{path}#{anchor}"


def test_pages_show_what_is_kept():
    made = generated(REFERENCE) | {"estimates": to_markdown(pd.read_csv(REFERENCE / "estimates.csv"))}
    shown = []
    for page in PAGES:
        text = page.read_text()
        shown += re.findall(r"<!-- (\w+): generated, do not edit -->", text)
        assert text == up_to_date(text, made)
    assert sorted(shown) == sorted(made)


@pytest.mark.parametrize("kept", [REFERENCE, REFERENCE / "lab", REFERENCE / "photos"], ids=lambda kept: kept.name)
def test_claims_pages_are_of_what_is_kept(kept):
    assert (kept / "claims.html").read_text() == claims_page(kept, ROOT)


def test_what_was_not_replicated_is_named():
    text = (DOCS / "deviations.md").read_text()
    assert "`it13/shift.py`" in text and "`it13/rotate.py`" in text and "Not replicated" in text


def test_docs_say_what_the_labs_budget_costs():
    budget = pd.read_csv(REFERENCE / "bench/budget.csv").set_index(["steps", "copies"])
    recipe = yaml.safe_load((ROOT / "workflow/scales/lab.yaml").read_text())["experiments"]["visualize"]["recipes"][1]
    chosen, full = budget.loc[(recipe["steps"], recipe["copies"])], budget.loc[(400, 8)]
    assert full["share_of_full"] == 1
    assert f"{chosen['share_of_full']:.2f} times as far" in (DOCS / "scales.md").read_text()
    assert chosen["seconds"] < full["seconds"] / 2


def test_every_command_is_run_or_listed_with_the_reason():
    shown = commands(*PAGES)
    assert [command for command in shown if not listed(command) and way_to_run(command) is None] == []
    assert [start for start in NOT_RUN if not any(command.startswith(start) for command in shown)] == []


def test_every_example_in_python_is_run():
    """By the tests at the end of test_docs_run.py."""
    found = {page.name: len(blocks(page, "python")) for page in PAGES if page != ADDING}
    assert {page: count for page, count in found.items() if count} == {
        "README.md": 1,
        "experiments.md": 1,
        "visualizing.md": 1,
    }
