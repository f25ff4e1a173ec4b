"""An entry's words follow from its numbers: it is refused when a word, a number, a margin or a hash is changed."""

import copy
import json

import pytest
from claim_tables import (
    background_table,
    concept_table,
    depth_table,
    maps_tables,
    pooling_table,
    token_table,
)
from entries import CLAIMS, WHY, made_entry
from project import ROOT

from vitexplore.claims.decide import claim_rows, run_analysis
from vitexplore.claims.entry import problems
from vitexplore.claims.numbers import Numbers, decide


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return made_entry(tmp_path_factory.mktemp("claims"))


@pytest.fixture
def entry(whole):
    return copy.deepcopy(whole)


def wrong(entry):
    return problems(entry, CLAIMS, ROOT)


TABLES = [
    ("background", background_table((0.98, 0.9, 0.2), (0.98, 0.7, 0.4))),
    ("background", background_table((0.98, 0.125, 0.125), (0.98, 0.125, 0.125))),  # no room
    ("background", background_table([(0.98, 0.9, 0.4), (0.98, 0.9, 0.1)], [(0.98, 0.7, 0.25)])),
    ("learned_pooling", pooling_table((0.2, 0.3, 0.3, 0.9), (0.2, 0.3, 0.3, 0.9))),  # random weights do it too
    ("isolated_cls", token_table((0.9, 0.9, 0.9, 0.88, 0.06), 0.5, 0.5, 0.06)),
    ("depth_progression", depth_table()),
    ("language_concepts", concept_table(0.9, 0.7, 0.6, coded=["many"])),
    ("maps_localize", maps_tables(0.9)),
]


@pytest.mark.parametrize("name, tables", TABLES)
def test_the_decision_is_the_same_from_kept_numbers(name, tables):
    claim, tables = CLAIMS[name], tables if isinstance(tables, tuple) else (tables,)
    analysis = run_analysis(claim, *tables)
    rows = [row for row in claim_rows(claim, analysis, tables[0]) if row["statement"]]
    for statement, said in claim.statements.items():
        kept = json.loads(json.dumps(analysis.statements[statement].numbers().plain(), allow_nan=False))
        found = decide(Numbers.read(kept), said)
        first, *others = [row for row in rows if row["statement"] == statement]
        assert (found.word, found.why, found.margin) == (first["word"], first["why"], first["margin"])
        each = {row["model"]: row["word"] for row in others if row["model"] != "models like these"}
        words = {name: word for name, (word, _) in found.each.items()}
        assert each == (words if len(words) > 1 else {})


def test_an_entry_has_words_own_terms_and_reasons(entry):
    claims = entry["claims"]
    assert (claims["learned_pooling"]["word"], claims["isolated_cls"]["word"]) == ("seen", "1 of 2 seen, 1 weaker")
    assert claims["background"]["word"] is None and "cnn" in claims["background"]["why"]
    own = claims["background"]["statements"]
    assert set(own) == {"background_alone", "foreground_alone"}
    assert own["foreground_alone"]["value"] > own["background_alone"]["value"] > 0.2
    assert claims["low_pass"] == {"word": "not run", "why": WHY, "statements": {}}
    assert wrong(entry) == []


def change(entry, *path, to):
    *way, last = path
    part = entry
    for key in way:
        part = part[key]
    part[last] = to


CLS = ("claims", "isolated_cls", "statements", "last_block")
POOLING = ("claims", "learned_pooling", "statements", "common_write")
CHANGES = [
    ((*CLS, "word"), "seen", "isolated_cls.last_block: the word is 'seen', from the numbers follows 'weaker'"),
    (("claims", "isolated_cls", "word"), "seen", "isolated_cls: the word is 'seen', from the statements follows"),
    (("claims", "background", "word"), "seen", "background: the word 'seen' rests on no statement"),
    ((*CLS, "margin"), 0.01, "isolated_cls.last_block: margin 0.01, but claim.yaml says 0.8: assess the model again"),
    ((*CLS, "value"), 0.99, "isolated_cls.last_block: its value and interval are not those of the comparison"),
    (
        (*CLS, "scope"),
        "the paper's models",
        'isolated_cls.last_block: the scope is "the paper\'s models", but the paper',
    ),
    ((*CLS, "numbers", "models"), ["other"], "isolated_cls.last_block: run names no model other"),
    ((*CLS, "numbers", "gates"), [], "isolated_cls.last_block: its gates are not those of claim.yaml"),
    ((*POOLING, "numbers", "each", "vit", "", "measured", "value"), 0.1, "do not fit together"),
    ((*POOLING, "numbers", "comparisons", "", "lead", "value"), 0.1, "do not fit together"),
    ((*POOLING, "numbers", "comparisons", "", "measured", "low"), -1, "from the numbers follows 'undecided'"),
    (("model", "weights_sha256"), "f" * 64, "timm/vit_tiny: the tables are of weights 0123456789abcdef"),
    (("model", "architecture"), "timm/vit_huge", "timm/vit_tiny: the tables are of timm/vit_tiny, not timm/vit_huge"),
    (("model", "key"), "other", "timm/vit_tiny: run names no such model"),
    (("run", "rehearsal"), True, "run: a rehearsal"),
    (("run", "code"), "vitexplore 0.1.0, commit 0123456789ab-dirty", "run: the code has changes"),
    (("version",), 1, "$.version: 2 was expected"),
    (("data", "place"), "/home", "$.data: Additional properties are not allowed"),
    ((*CLS, "word"), "good", "$.claims.isolated_cls.statements.last_block"),
    (("claims", "nonsense"), {"word": None, "why": "", "statements": {}}, "nonsense: no such claim"),
]


@pytest.mark.parametrize("path, to, line", CHANGES)
def test_a_changed_entry_is_refused(entry, path, to, line):
    change(entry, *path, to=to)
    assert any(line in found for found in wrong(entry)), wrong(entry)


def test_an_entry_without_a_statement_is_refused(entry):
    del entry["claims"]["isolated_cls"]["statements"]["half_way"]
    assert wrong(entry) == ["isolated_cls: the statement half_way is missing"]


def test_a_claim_that_is_left_out_for_a_model_has_no_word(entry):
    entry["claims"]["maps_localize"] = {"word": None, "why": "", "statements": {}}
    assert wrong(entry) == []
    entry["model"]["name"] = "packaged/vit_s_focus"
    assert [line[:50] for line in wrong(entry)] == ["maps_localize: is not decided on this model: its V"]


def test_a_name_of_the_labs_needs_the_labs_weights(tmp_path):
    assert wrong(made_entry(tmp_path, "lab/lab_vit", ["learned_pooling"])) == [
        "timm/vit_tiny: its weights are not those that ship with the lab"
    ]


def test_on_the_papers_own_weights_the_words_are_those_of_a_reproduction(tmp_path):
    entry = made_entry(tmp_path, "timm/vit_base_patch16_384.orig_in21k_ft_in1k", ["learned_pooling"])
    assert entry["claims"]["learned_pooling"]["word"] == "reproduced" and wrong(entry) == []
    entry["model"]["checkpoint"] = "mine.safetensors"
    assert wrong(entry) == ["timm/vit_tiny: mine.safetensors stands under the name of the paper's own weights"]
