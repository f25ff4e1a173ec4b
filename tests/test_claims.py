"""What a claim says is read and checked; what was decided is written, shown and compared with what is expected."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from claim_tables import GRADUAL, SUDDEN, about, locality_table, maps_tables
from pages import lead_nowhere

from vitexplore.claims import tested as scope  # pytest would take its function `tested` for a test
from vitexplore.claims.check import check
from vitexplore.claims.decide import COLUMNS, UNKNOWN, claim_rows, not_run, pooled, run_analysis
from vitexplore.claims.join import why_not, write_claims
from vitexplore.claims.render import claims_table, decisive, to_caption, to_markdown
from vitexplore.claims.text import ORDER, Claim, claims_in_order, read_claim
from vitexplore.claims.write import write_claim
from vitexplore.errors import InputError
from vitexplore.graph import Graph
from vitexplore.scale import parse

ROOT = Path(__file__).parent.parent
SCHEMA = ROOT / "workflow/schemas/claim.schema.yaml"
CLAIMS = sorted(path.parent.name for path in ROOT.glob("analyses/*/claim.yaml"))


def claim_of(name):
    return read_claim(ROOT / "analyses" / name, SCHEMA)


@pytest.mark.parametrize("name", CLAIMS)
def test_expectations_are_of_statements_that_the_claim_makes(name):
    claim = claim_of(name)
    for scale, expected in claim.text["expected"].items():
        assert set(expected["values"]) <= set(claim.statements), scale  # without those that it could not test


@pytest.mark.parametrize("name", CLAIMS)
def test_every_claim_has_statements_of_the_paper(name):
    assert any(statement["role"] == "paper" for statement in claim_of(name).statements.values())


def test_the_table_opens_with_what_was_seen_and_then_has_the_numbers(tmp_path):
    claims, tables = claims_in_order(ROOT / "analyses"), maps_tables(0.9)
    claim = claims["maps_localize"]
    words = {"": "valid", "best_maps": "valid", "classes": "not specific", "all_maps": "insensitive"}
    rows = claim_rows(claim, run_analysis(claim, *tables), tables[0], words)
    (tmp_path / "a.json").write_text(json.dumps(rows))
    table = claims_table([tmp_path / "a.json"], [not_run("variants", "not at this scale")])
    assert list(table.columns) == COLUMNS
    assert list(decisive(table)["word"]) == ["seen", "seen", "seen"] and table["word"].iloc[-1] == "not run"
    assert list(decisive(table)["role"]) == ["paper", "extension", "extension"]
    lines = to_markdown(table, claims).splitlines()
    assert lines[4] == (f"| maps_localize | {claim.text['title']} | valid | **seen** | {UNKNOWN} |")
    assert "**not run** (not at this scale)" in lines[5]
    assert lines[7].endswith("| instrument | word |")
    assert lines[9].endswith("| valid | seen |") and lines[11].endswith("| insensitive | seen |")
    assert lines[10].endswith("| 4 classes | not specific | seen (each: 4 seen) |")
    assert "1 statements are the paper's and decide; 2 are extensions" in lines[-1]
    caption = to_caption(claim, rows)
    assert "Here: **seen** (other models)" in caption and f"{rows[1]['measured']:.3f}" in caption
    assert "  (class 3: " in caption


def test_an_undecided_statement_says_how_many_would_decide(tmp_path):
    course = SUDDEN.copy()
    course[-1] = 0.2901  # a step of 0.0701 against 0.02, where 0.05 over it is wanted
    table = locality_table(course, GRADUAL)
    few = table[table["image"] < 12]
    claim = claim_of("local_until_last")
    row = next(row for row in claim_rows(claim, run_analysis(claim, few), few) if row["statement"] == "last_step")
    assert row["word"] == "undecided"
    assert row["times_n_to_decide"] > 1 and row["n"] == "12 images"
    assert row["why"] == f"{row['times_n_to_decide']} times as many would decide"


def test_claim_yaml_with_an_unknown_key_is_refused(tmp_path):
    text = yaml.safe_load((ROOT / "analyses/background/claim.yaml").read_text())
    (tmp_path / "claim.yaml").write_text(yaml.safe_dump(text | {"verdict": "seen"}))
    with pytest.raises(InputError, match="verdict"):
        read_claim(tmp_path, SCHEMA)


def test_analysis_that_leaves_a_statement_out_is_refused(tmp_path):
    claim = claim_of("background")
    (tmp_path / "claim.yaml").write_text((claim.folder / "claim.yaml").read_text())
    (tmp_path / "analysis.py").write_text(
        "import pandas as pd\nfrom vitexplore.claims.decide import Analysis\n"
        "def analyse(table):\n    return Analysis({}, pd.DataFrame())\n"
    )
    with pytest.raises(InputError, match="same statements"):
        run_analysis(read_claim(tmp_path, SCHEMA), about("vit", "vit"))


NAMED = [
    ("deit", "timm/deit_base", False, 0, "deit"),
    ("deit_s16", "timm/deit_small", False, 0, "deit_s16"),  # no 16th training seed of deit
    ("first", "lab/lab_vit", False, 0, "first"),
    ("second", "lab/lab_vit", False, 1, "first"),
    ("random", "lab/lab_vit", True, 1, "random"),
    ("other", "lab/lab_vit", False, 0, "other"),  # other weights, not another seed
]


def test_training_seeds_are_told_by_columns_and_not_by_names():
    models = pd.DataFrame(NAMED, columns=["model", "architecture", "random_weights", "training_seed", "pooled"])
    assert list(pooled(models)["model"]) == list(models["pooled"])
    summary = pd.DataFrame({"model": ["second", "deit_s16"], "value": [1, 2]})
    assert pooled(models, summary).to_dict("list") == {"model": ["first", "deit_s16"], "value": [1, 2]}


# --- which claims a scale tests, and what is written of them


def graph_of(claims, **experiments) -> Graph:
    vit = {"source": "lab", "architecture": "lab_vit", "family": "vit"}
    models = {"vit": vit, "vit_random": vit | {"weights": "random", "beside": "vit"}}
    scale = {"scale": "made", "data": {"kind": "scenes"}, "models": models, "claims": claims}
    return Graph(parse(scale | {"experiments": experiments}), ROOT)


def test_the_papers_claims_come_in_its_order():
    claims = claims_in_order(ROOT / "analyses")
    assert tuple(claims) == ORDER and set(ORDER) == set(CLAIMS)
    assert (claims["depth_progression"].experiment, claims["depth_progression"].tables) == ("features", ["features"])
    assert claims["low_pass"].tables == ["low_pass"]


def test_a_claim_that_awaits_its_analysis_is_listed_and_others_follow(tmp_path):
    text = yaml.safe_load((ROOT / "analyses/variants/claim.yaml").read_text())
    for name in ("my_claim", "variants"):
        (tmp_path / "analyses" / name).mkdir(parents=True)
        (tmp_path / "analyses" / name / "claim.yaml").write_text(yaml.safe_dump(text))
    (tmp_path / "workflow").symlink_to(ROOT / "workflow")
    claims = claims_in_order(tmp_path / "analyses")
    assert tuple(claims) == (*ORDER, "my_claim")
    assert [name for name, claim in claims.items() if claim] == ["variants", "my_claim"]


def test_a_claim_is_tested_where_the_scale_names_it_and_makes_its_table():
    claims = claims_in_order(ROOT / "analyses")
    named = ["low_pass", "local_until_last", "isolated_cls"]
    assert scope.tested(graph_of(named, locality={}, low_pass={}), claims) == ["local_until_last", "low_pass"]
    assert scope.tested(graph_of(["low_pass"], locality={}, low_pass={}), claims) == ["low_pass"]


def test_a_claim_that_does_not_exist_is_refused():
    graph = graph_of(["low_pass", "low_pas"], low_pass={})
    with pytest.raises(InputError, match=r"claims\.1: 'low_pas' is not one of analyses/\*; did you mean low_pass\?"):
        scope.tested(graph, claims_in_order(ROOT / "analyses"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ({"experiment": "localty"}, "no experiment makes a table 'localty'"),
        ({"experiment": "locality", "tables": ["features"]}, "the table 'features' is made by features, not locality"),
    ],
)
def test_a_claim_about_a_table_that_is_not_made_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        scope.tested(graph_of(["mine"], locality={}), {"mine": Claim(ROOT / "analyses/mine", text)})


@pytest.fixture
def written(tmp_path, monkeypatch):
    """A scale about one claim, whose table is made, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    graph = graph_of(["local_until_last"], locality={})
    (path,) = graph.tables("locality")
    path.parent.mkdir(parents=True)
    locality_table(SUDDEN, GRADUAL).to_parquet(path)
    return graph


def test_a_claims_files_are_written(written):
    write_claim(written, "local_until_last")
    write_claims(written)
    rows = json.loads((written.out / "claims/local_until_last.json").read_text())
    assert rows[0]["word"] == "seen"
    assert "Here: **seen**" in (written.out / "claims/local_until_last.rst").read_text()
    summary = pd.read_csv(written.summary("claim_local_until_last"))
    assert list(summary) == ["model", "measure", "block", "mean", "n"]
    assert written.figure("local_until_last").exists()
    table = pd.read_csv(written.out / "claims.csv")
    others = [name for name in ORDER if name != "local_until_last"]
    assert list(table["claim"].unique()) == ["local_until_last", *others]
    assert (table[table["claim"] == "low_pass"]["word"] == "not run").all()
    assert "**not run** (not at this scale)" in (written.out / "claims.md").read_text()
    assert lead_nowhere(written.out / "claims.html") == []
    page = (written.out / "claims.html").read_text()
    assert page.count('<section id="') == len(ORDER) and "not at this scale" in page
    run = json.loads((written.out / "run.json").read_text())
    assert [model["weights"] for model in run["models"]] == ["hash_of_vit", "hash_of_vit_random"]
    assert run["scale"] == "made" and "hash_of_vit_random" in page


def test_a_claim_that_a_scale_leaves_out_says_why():
    claims = claims_in_order(ROOT / "analyses")
    assert why_not(claims["maps_localize"], "photos").startswith("its ViT was fine-tuned to find salient objects")
    assert why_not(claims["maps_localize"], "lab") == why_not(None, "photos") == "not at this scale"


@pytest.mark.parametrize("path", sorted(ROOT.glob("workflow/scales/*.yaml")), ids=lambda path: path.stem)
def test_a_scale_does_not_test_what_it_leaves_out(path):
    scale, claims = yaml.safe_load(path.read_text()), claims_in_order(ROOT / "analyses")
    left_out = {name for name, claim in claims.items() if scale["scale"] in claim.text.get("left_out", {})}
    assert not left_out & set(scale["claims"])
    assert not {name for name in left_out if scale["scale"] in claims[name].text["expected"]}


def test_a_claim_without_its_models_has_all_its_files(written):
    (path,) = written.tables("locality")
    pd.read_parquet(path).assign(random_weights=False).to_parquet(path)
    write_claim(written, "local_until_last")
    (row,) = json.loads((written.out / "claims/local_until_last.json").read_text())
    assert row["word"] == "not run" and row["why"].startswith("needs a ViT")
    assert list(pd.read_csv(written.summary("claim_local_until_last"))) == ["not_run"]
    assert written.figure("local_until_last").exists()


@pytest.mark.parametrize(("change", "code"), [(0.0, 0), (0.04, 0), (0.5, 1), (np.nan, 2)])
def test_check_says_by_its_code_what_differs(tmp_path, capsys, change, code):
    folder = tmp_path / "analyses/low_pass"
    folder.mkdir(parents=True)
    (tmp_path / "workflow").symlink_to(ROOT / "workflow")
    text = yaml.safe_load((ROOT / "analyses/low_pass/claim.yaml").read_text())
    values = {"ideal": {"value": 0.2, "tolerance": 0.05}, "gaussian_area": {"value": 0.3, "tolerance": 0.05}}
    text["expected"] = {"smoke": {"reason": "made", "values": values}}
    (folder / "claim.yaml").write_text(yaml.safe_dump(text))
    measured = {"ideal": 0.2, "gaussian_area": 0.3 + change}
    common = {"claim": "low_pass", "scope": "other models", "word": "seen"}
    rows = [common | {"statement": ""}]
    rows += [common | {"statement": of, "measured": value} for of, value in measured.items()]
    rows.append({"claim": "low_pass", "statement": "ideal", "measured": 9.0})  # of one model, which decides nothing
    pd.DataFrame(rows).assign(values=None).to_csv(tmp_path / "claims.csv", index=False)
    assert check(tmp_path / "claims.csv", tmp_path / "analyses", "smoke") == code
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2
    assert [line.startswith("same ") for line in said].count(True) == (2 if code == 0 else 1)
    assert any(line.startswith(("same ", "DRIFTED", "MISSING")[code]) for line in said)


def test_check_of_nothing_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such table; run the scale first"):
        check(tmp_path / "claims.csv", ROOT / "analyses", "smoke")
    pd.DataFrame(columns=["claim", "statement", "scope", "measured", "word", "values"]).to_csv(
        tmp_path / "claims.csv", index=False
    )
    with pytest.raises(InputError, match="no claim has expected values of scale 'nowhere'; write those"):
        check(tmp_path / "claims.csv", ROOT / "analyses", "nowhere")
