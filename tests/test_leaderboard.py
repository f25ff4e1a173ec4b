"""The leaderboard: what its table, page and list show, and that what is kept follows from checked entries."""

import json
import math
import re

import pandas as pd
import pytest
from entries import CLAIMS, SHA256, made_entry
from pages import lead_nowhere
from project import ROOT

from vitexplore.claims.entry import shown_rows
from vitexplore.claims.leaderboard import COLUMNS, PAPERS, leaderboard, to_html, to_markdown
from vitexplore.errors import InputError
from vitexplore.io import write_json
from vitexplore.tools.leaderboard import KEPT, PAGE, read_entries, update

BLOCK = "<!-- leaderboard: generated, do not edit -->\n\n<!-- end of leaderboard -->\n"


@pytest.fixture(scope="module")
def entry(tmp_path_factory):
    return made_entry(tmp_path_factory.mktemp("claims"))


@pytest.fixture
def folder(tmp_path, entry):
    write_json(tmp_path / "entries/vit.json", entry)
    (tmp_path / "page.md").write_text(BLOCK)
    return tmp_path


def test_the_table_has_claims_statements_own_terms_and_the_papers_numbers(entry):
    table = leaderboard([entry], CLAIMS)
    assert list(table) == COLUMNS
    mine = table[table["model"] == "timm/vit_tiny"].set_index(["claim", "statement"])
    assert set(mine["weights_sha256"]) == {SHA256} and set(mine["data"]) == {"400 photographs (fedcba98)"}
    assert mine.loc[("isolated_cls", ""), "word"] == "1 of 2 seen, 1 weaker"
    assert mine.loc[("isolated_cls", "last_block"), "word"] == "weaker"
    own = mine.loc[("background", "background_alone (own term)")]
    assert pd.isna(own["word"]) and own["low"] < own["value"] < own["high"]
    assert ("background", "") not in mine.index and "low_pass" not in mine.index.get_level_values(0)
    printed = table[table["weights_sha256"] == ""].set_index(["model", "statement"])["value"]
    assert printed[PAPERS, "last_block"] == 0.934
    assert printed["ViT-B32 (the paper)", "background_alone (own term)"] == 0.281


def test_claims_stand_in_the_papers_order(entry):
    found = list(leaderboard([entry], CLAIMS)["claim"].unique())
    assert found == [name for name in CLAIMS if name in found]


def test_the_page_shows_every_word_sorts_by_itself_and_leads_to_the_entries(folder, entry):
    write_json(folder / "leaderboard.csv", [])
    (folder / "leaderboard.html").write_text(to_html({"vit": entry}, CLAIMS))
    page = (folder / "leaderboard.html").read_text()
    assert lead_nowhere(folder / "leaderboard.html") == []
    assert page.count('<th scope="col"><button') == 2 + len(CLAIMS) + 8
    rows = [row for row in shown_rows(entry) if row["word"]]
    decided = [row for row in rows if row["role"] == "paper"]
    assert len(re.findall(r'class="word \w+"', page)) == len(rows) + len(decided)
    assert "src=" not in page and "addEventListener" in page


def test_the_list_says_what_is_seen_and_what_is_not(entry):
    *_, row = to_markdown([entry]).splitlines()
    seen, weaker = "isolated_cls.cls_waits, learned_pooling.pooled_answer", "isolated_cls.last_block"
    terms = "background.background_alone, background.foreground_alone"
    cells = ["timm/vit_tiny", "400 photographs (fedcba98)", seen, weaker, "", "", "", terms]
    assert row == f"| {' | '.join(cells)} |"


def test_files_are_made_and_then_found_up_to_date(folder):
    page = folder / "page.md"
    assert update(folder, (page,), check=True) == 1
    assert not (folder / "leaderboard.csv").exists() and page.read_text() == BLOCK
    assert update(folder, (page,), check=False) == 0
    assert update(folder, (page,), check=True) == 0
    assert "learned_pooling" in page.read_text()
    (folder / "leaderboard.csv").write_text("model\n")
    assert update(folder, (page,), check=True) == 1


@pytest.mark.parametrize("name, word", [("vit", "seen"), ("another", "not seen")])
def test_a_wrong_entry_or_file_name_is_told_and_nothing_is_written(folder, entry, name, word, capsys):
    claims = entry["claims"] | {"isolated_cls": entry["claims"]["isolated_cls"] | {"word": word}}
    (folder / "entries/vit.json").unlink()
    write_json(folder / f"entries/{name}.json", entry | {"claims": claims})
    assert update(folder, (), check=False) == 1
    assert capsys.readouterr().out.startswith(f"{name}.json: ")
    assert not (folder / "leaderboard.csv").exists()


def test_no_entries_and_no_json_are_refused(tmp_path):
    with pytest.raises(InputError, match="no entries there; copy"):
        read_entries(tmp_path)
    (tmp_path / "entries").mkdir()
    (tmp_path / "entries/x.json").write_text("{")
    with pytest.raises(InputError, match="copy the file that"):
        read_entries(tmp_path)


def test_what_is_kept_follows_from_its_entries():
    """Schema, hashes, words from numbers: what `vitexplore leaderboard --check` says."""
    assert update(KEPT, (PAGE,), check=True) == 0


def test_the_kept_page_leads_somewhere_and_the_kept_table_is_finite():
    assert lead_nowhere(KEPT / "leaderboard.html") == []
    table = pd.read_csv(KEPT / "leaderboard.csv")
    with_word = table[table["word"].isin(["seen", "weaker", "not seen", "opposite"]) & table["statement"].notna()]
    assert len(with_word) and all(map(math.isfinite, with_word[["value", "low", "high"]].to_numpy().ravel()))


def test_the_schema_is_a_schema():
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(json.loads((ROOT / "workflow/schemas/entry.schema.json").read_text()))
