"""A study visualizes by every recipe in turn, and one that was interrupted is gone on with."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from claim_tables import about

from vitexplore.activations.collect import collect, frame
from vitexplore.claims.decide import claim_rows, run_analysis
from vitexplore.claims.text import SCHEMA, read_claim
from vitexplore.data.loading import Loader
from vitexplore.data.scene_sets import scene_set
from vitexplore.experiments.visualize import RecipeOptions, VisualizeOptions, cost, measure
from vitexplore.io import read_tables, write_table
from vitexplore.models.sites import Site
from vitexplore.png import decode
from vitexplore.visualize.objective import Channels
from vitexplore.visualize.optimize import Engine
from vitexplore.visualize.optimize import visualize as optimize
from vitexplore.visualize.recipes import recipe_for, without
from vitexplore.visualize.score import Judge
from vitexplore.visualize.study import draw_features, exemplars, kinds_with_room

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def loader() -> Loader:
    return Loader(scene_set("test", 12)).sample(12)


@pytest.fixture(scope="module")
def asked(lab_vit, loader) -> dict:
    """Three features of two sites of the middle block, two recipes, one of them less its jitter; one seed."""
    rankings = collect(lab_vit, loader, [Site(kind, block) for kind in ("ffn", "key") for block in range(8)], 6)
    top = pd.concat([frame(site, ranking) for site, ranking in rankings.items()], ignore_index=True)
    recipes = [RecipeOptions(name="paper", steps=2, copies=1), RecipeOptions(name="fast", steps=2, tv=0.01)]
    asked = {"features": 3, "depths": ["middle"], "sites": ["ffn", "key"], "images": 12, "seeds": 1}
    asked |= {"left_out": ["jitter"], "alone": [], "recipes": recipes, "ceiling": None}
    return asked | {"found_in": 12, "k": 6, "top": top, "judge": None}


def test_sites_are_visualized_by_each_recipe_whole_and_less_its_parts_but_points_of_a_sweep_whole_alone(
    asked, tmp_path, lab_vit, loader
):
    table, losses = measure(lab_vit, loader, **asked, scratch=tmp_path)
    variants = ["paper", "paper-jitter", "fast, tv 0.01"]
    rows = [(site, variant) for site in ("ffn", "key") for variant in variants for _ in range(3)]
    assert list(zip(table["site"], table["variant"], strict=True)) == rows
    site = Site("ffn", 4)
    features = draw_features(lab_vit, site, 3)
    for variant, recipe in (
        ("paper", recipe_for("paper", lab_vit.spec, steps=2, copies=1)),
        ("paper-jitter", without(recipe_for("paper", lab_vit.spec, steps=2, copies=1), "jitter")),
        ("fast, tv 0.01", recipe_for("fast", lab_vit.spec, steps=2, tv=0.01)),
    ):
        found = optimize(lab_vit, Channels(site, features), recipe)
        mine = table[(table["site"] == "ffn") & (table["variant"] == variant)]
        assert set(mine["block"]) == {4} and mine["feature"].tolist() == list(features)
        assert np.allclose(mine["score"], found.score, atol=1e-5)
        for png, image in zip(mine["picture"], found.images, strict=True):
            assert np.array_equal(decode(png), (image.permute(1, 2, 0).numpy() * 255).round())
    assert len(losses) == 2 * 3 * 3 * 2 and losses["loss"].notna().all()


def test_sites_have_draws_of_their_own_for_an_odd_one_would_count_at_every_depth(lab_vit):
    drawn = {
        Site(kind, block): draw_features(lab_vit, Site(kind, block), 10)
        for kind in ("query", "key")
        for block in (1, 4)
    }
    assert len(set(drawn.values())) == 4 and all(len(set(each)) == 10 for each in drawn.values())
    assert drawn[Site("key", 4)] == draw_features(lab_vit, Site("key", 4), 10)


def test_an_experiment_that_was_interrupted_is_gone_on_with(asked, tmp_path, lab_vit, loader, monkeypatch):
    """Killed in the fourth of six visualizations, of two steps each."""
    steps = []
    step = Engine.step

    def counted(self, now, value):
        steps.append(now["step"])
        if len(steps) == 8:
            raise KeyboardInterrupt
        step(self, now, value)

    monkeypatch.setattr(Engine, "trial", lambda self, objective, start: None)
    monkeypatch.setattr(Engine, "step", counted)
    with pytest.raises(KeyboardInterrupt):
        measure(lab_vit, loader, **asked, scratch=tmp_path / "killed")
    steps[:] = [0] * 100
    found = measure(lab_vit, loader, **asked, scratch=tmp_path / "killed")
    assert len(steps) == 100 + 3 * 2
    for mine, whole in zip(found, measure(lab_vit, loader, **asked, scratch=tmp_path / "whole"), strict=True):
        pd.testing.assert_frame_equal(mine, whole)


def judge_that_sees(model, pictures: np.ndarray) -> Judge:
    """``pictures``: what it sees in each image."""
    return Judge(model, pd.Series(list(pictures.astype(np.float32))))


def test_where_the_judge_tells_no_feature_apart_nothing_is_optimized_and_the_claim_has_no_room(
    asked, tmp_path, lab_vit, loader, monkeypatch
):
    """All images look the same to the judge."""
    steps = []
    monkeypatch.setattr(Engine, "step", lambda *_: steps.append(1))
    monkeypatch.setattr(Engine, "trial", lambda *_: steps.append(1))
    blind = {"judge": judge_that_sees(lab_vit, np.ones((12, 64))), "ceiling": 0.6, "top": None}
    blind |= {"sites": ["query", "key", "value", "ffn"]}
    table, losses = measure(lab_vit, loader, **asked | blind, scratch=tmp_path)
    assert not steps and losses.empty
    assert len(table) == 4 * 3 * 3 and table["picture"].isna().all()
    assert (table["ceiling"] == 0.5).all() and (table["ceiling_low"] == 0.5).all()
    assert table[["score", "identification", "kernel_distance"]].isna().all(axis=None)
    write_table(tmp_path / "visualize.parquet", about("vit", "vit", **table), {"data": "few"})
    written, claim = (
        read_tables([tmp_path / "visualize.parquet"]),
        read_claim(ROOT / "analyses/ffn_over_qkv", ROOT / SCHEMA),
    )
    rows = claim_rows(claim, run_analysis(claim, written), written)
    assert [row["word"] for row in rows if row["role"] != "extension"] == ["not testable"] * 4
    assert rows[1]["why"].endswith("0.5, at least 0.5; above 0.6 is needed")


def test_with_room_the_same_is_measured_as_without_a_ceiling(asked, tmp_path, lab_vit, loader):
    asked = asked | {"judge": judge_that_sees(lab_vit, np.random.default_rng(0).normal(size=(12, 64)))}
    every = measure(lab_vit, loader, **asked, scratch=tmp_path / "every")
    found = measure(lab_vit, loader, **asked | {"ceiling": 0.0}, scratch=tmp_path / "found")
    for mine, whole in zip(found, every, strict=True):
        pd.testing.assert_frame_equal(mine, whole, check_exact=True)


def test_room_is_of_the_mean_over_the_blocks_of_a_kind_as_the_claims_gate_is(lab_vit):
    """Four features of three images each. The judge sees in images 0 to 11 the feature, 12 to 23 look all alike."""
    seen = np.concatenate([np.eye(4)[np.arange(12) // 3], np.ones((12, 4))])
    first = {Site("ffn", 1): 0, Site("ffn", 4): 12, Site("key", 1): 12, Site("key", 4): 12, Site("query", 1): 0}
    rows = [
        {"site": site.kind, "block": site.block, "feature": n // 3, "rank": n % 3, "image": start + n, "score": 1.0}
        for site, start in first.items()
        for n in range(12)
    ]
    asked = list(first), pd.DataFrame(rows), judge_that_sees(lab_vit, seen)
    assert kinds_with_room(*asked, 0.6) == {"ffn", "query"}  # of 1 and 0.5 at ffn
    assert kinds_with_room(*asked, 0.75) == {"query"}  # a mean at the gate is not above it
    assert kinds_with_room(*asked, None) == {"ffn", "key", "query"}
    assert kinds_with_room(*asked[:2], None, 0.6) == {"ffn", "key", "query"}


def test_without_a_collected_table_the_same_images_are_found(asked, tmp_path, lab_vit, loader):
    found, _ = measure(lab_vit, loader, **asked | {"top": None}, scratch=tmp_path / "found")
    pd.testing.assert_frame_equal(found, measure(lab_vit, loader, **asked, scratch=tmp_path / "collected")[0])
    mine = exemplars(lab_vit, loader, [Site("ffn", 4), Site("key", 4)], 6)
    collected = asked["top"]
    pd.testing.assert_frame_equal(mine, collected[collected["block"] == 4].reset_index(drop=True))


def test_the_cost_is_of_the_recipes_that_run():
    """Ours has one copy and no colour shift to leave out; a point of a sweep runs whole alone."""
    recipes = [{"name": "paper", "steps": 100, "copies": 3}, {"name": "fast", "steps": 40}]
    recipes.append({"name": "paper", "steps": 10, "copies": 2, "tv": 0.04})
    asked = {"features": 5, "depths": ["middle", "late"], "sites": ["ffn", "query", "channel"], "images": 400}
    left_out, alone = ["tv", "ensembling", "colour_shift"], ["nothing", "jitter"]
    options = VisualizeOptions(**asked, seeds=2, left_out=left_out, alone=alone, recipes=recipes)
    copies = 100 * (3 + 3 + 1 + 3 + 3 + 3) + 40 * (1 + 1 + 1 + 1) + 10 * 2
    pictures = 5 * 2 * 2  # features, sites of a ViT, seeds
    assert cost(options, "vit").passes == pytest.approx(pictures * copies * 2 * (0.5 + 0.85) + 2 * 400)
