"""Scales that are refused, or that need other data: an unknown key, the paper's scale without data, photographs."""

import re

import pandas as pd
import pytest
from project import ROOT, SMOKE, copy_of_project, said, snakemake

PHOTOS = ROOT.parent / "shared" / "photos"

pytestmark = pytest.mark.slow


def test_unknown_key_stops_before_anything_runs(tmp_path):
    folder = copy_of_project(tmp_path)
    done = snakemake(folder, *SMOKE, "--config", "claim=low_pass")
    assert done.returncode != 0
    assert "top level: unknown key 'claim'; did you mean claims?" in said(done)
    assert not (folder / "results").exists()


def test_paper_scale_builds_its_graph_and_says_what_is_missing(tmp_path):
    folder = copy_of_project(tmp_path)
    paper = ["--configfile", "workflow/scales/paper.yaml"]
    dry = snakemake(folder, *paper, "--dry-run", "--printshellcmds")
    assert dry.returncode == 0, said(dry)[-2000:]
    assert "vit_base_patch16_384.orig_in21k_ft_in1k" in said(dry)
    done = snakemake(folder, "results/paper/data/images.parquet", *paper)
    assert done.returncode != 0
    assert re.search(r"data/imagenet/(train|val): no such folder; put images/<WordNet id>/\*\.JPEG there", said(done))


@pytest.mark.skipif(not PHOTOS.exists(), reason="the folder of photographs is not there")
def test_photographs_with_real_weights(tmp_path):
    folder = copy_of_project(tmp_path)
    quick = "experiments:\n  visualize: {features: 2, depths: [middle], images: 60, recipes: [{name: fast, steps: 3}]}"
    quick += "\n  ablation: {images: 60}\n  background: {images: 40}\n  collect: {images: 60}\n  embed: {images: 60}\n"
    quick += "  low_pass: {images: 4}\n  locality: {images: 4}\n  localization: {images: 4}\n"
    quick += "claims: [ffn_over_qkv, background]\n"
    (folder / "quick.yaml").write_text(quick)
    scale = ["--configfile", "workflow/scales/photos.yaml", "quick.yaml", "--config", f"images={PHOTOS / 'images'}"]
    wanted = ["results/photos/claims.csv", "results/photos/tables/background.csv"]
    done = snakemake(folder, *wanted, *scale, f"boxes={PHOTOS / 'boxes'}")
    assert done.returncode == 0, said(done)[-3000:]
    whole = pd.read_csv(folder / "results/photos/tables/background.csv").fillna("")
    assert set(whole["fill"]) == {"", "black", "mean", "blur"}
    as_printed = (whole["model"] == "efficientnet_lite0") & whole["fill"].isin(["", "black"])
    table = whole[as_printed & (whole["size"] == "own")].set_index("condition")
    assert table.loc["full", "n"] == 40
    assert table.loc["full", "top1"] >= 75  # 88 on a larger sample: 40 pictures leave room
    assert table.loc["mean_image", "top1"] <= 1
    assert table.loc["background", "top5"] < table.loc["foreground", "top5"] <= table.loc["full", "top5"]
    claims = pd.read_csv(folder / "results/photos/claims.csv").set_index("claim")
    assert claims.loc["background", "word"] == "not run"
    assert "needs a model of the family vit" in claims.loc["background", "why"]
    without = snakemake(folder, *scale, "--dry-run")
    assert without.returncode == 0 and "tables/background.csv" not in said(without)
