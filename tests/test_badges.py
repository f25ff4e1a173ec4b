"""Badges of a claims table count what they say."""

import xml.etree.ElementTree as ET

import pandas as pd
import pytest

from vitexplore.claims.decide import EXTENSION, PAPER
from vitexplore.tools.badges import LETTER, badge, badges_line, values, write_badges

ROWS = [
    ("a", None, None, "here", "1 of 2 seen, 1 undecided"),
    ("a", "one", PAPER, "here", "seen"),
    ("a", "two", PAPER, "here", "undecided"),
    ("a", "two", PAPER, None, "seen"),  # of one model: decides nothing
    ("b", None, None, "here", "not seen"),
    ("b", "three", PAPER, "here", "weaker"),
    ("b", "four", EXTENSION, "here", "seen"),
    ("c", None, None, "here", "reproduced"),
    ("c", "five", PAPER, "here", "reproduced"),
    ("d", None, None, None, "not run"),
]


@pytest.fixture
def claims(tmp_path):
    path = tmp_path / "results/reference/claims.csv"
    path.parent.mkdir(parents=True)
    pd.DataFrame(ROWS, columns=["claim", "statement", "role", "scope", "word"]).to_csv(path, index=False)
    return path


def test_values_count_the_papers_statements_by_their_words(claims):
    found = values(pd.read_csv(claims), "lab")
    assert found == {"statements": ("4 statements of the paper (lab)", "1 seen, 1 reproduced, 1 weaker, 1 undecided")}


def test_a_badge_is_a_picture_as_wide_as_its_texts():
    svg = ET.fromstring(badge("a < b", "1 & 2"))
    label, value = svg.findall(".//{*}text")
    assert (label.text, value.text) == ("a < b", "1 & 2")
    assert float(label.get("x")) + float(value.get("x")) == float(svg.get("width"))  # of one length, so mirrored
    wider = ET.fromstring(badge("a < b", "1 & 2345"))
    assert int(wider.get("width")) - int(svg.get("width")) == 3 * LETTER


def test_badges_outside_git_name_no_commit_and_old_ones_go(claims, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    folder = claims.parent / "badges"
    folder.mkdir()
    (folder / "kept.svg").write_text("old")
    write_badges(claims, "lab", folder, tmp_path)
    assert badges_line(folder, tmp_path / "README.md").splitlines() == [
        "[![4 statements of the paper (lab): 1 seen, 1 reproduced, 1 weaker, 1 undecided]"
        "(results/reference/badges/statements.svg)](results/reference/claims.md)",
    ]
