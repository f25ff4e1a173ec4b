"""What a scale asks of a machine: FLOPs by hand, and passes that are counted."""

from pathlib import Path

import pandas as pd
import pytest

from vitexplore import scale
from vitexplore.graph import Graph
from vitexplore.models.spec import ModelSpec
from vitexplore.tools.estimate import IMAGES_PER_SECOND, TERAFLOPS, estimate, size_of

ROOT = Path(__file__).parent.parent
VIT = {"source": "timm", "architecture": "vit_tiny_patch16_224", "family": "vit"}


def test_flops_of_a_vit_by_hand():
    tokens, width, depth, patch = 197, 192, 12, 16
    linear = tokens * width * (3 * width + width + 8 * width)
    attention = 2 * tokens * tokens * width
    by_hand = 2 * (depth * (linear + attention) + (tokens - 1) * 3 * patch * patch * width + width * 1000)
    flops, parameters, _ = size_of(ModelSpec("vit", **VIT))
    assert flops == pytest.approx(by_hand, rel=1e-6)
    assert parameters == 5_717_416


def test_passes_times_flops_over_speed():
    vit, half = {**VIT, "experiments": ["localization", "low_pass"]}, {**VIT, "input_size": 112}
    config = {"scale": "made", "data": {"kind": "scenes"}, "claims": []}
    config["models"] = {"vit": vit, "half": {**half, "experiments": ["localization"]}}
    config["experiments"] = {"localization": {"images": 500}, "low_pass": {"images": 1000, "common_size": 160}}
    table = estimate(scale.parse(config)).set_index("experiment")
    flops, parameters, _ = size_of(ModelSpec("vit", **VIT))
    halved, same, _ = size_of(ModelSpec("half", **half))
    assert table.loc["localization", "exaflops"] == pytest.approx(500 * (flops + halved) / 1e18)
    assert table.loc["low_pass", "exaflops"] == pytest.approx(2 * 13 * 1000 * flops / 1e18)
    assert table.loc["low_pass", "reading_hours"] == pytest.approx(2 * 1000 / IMAGES_PER_SECOND / 3600)
    total = 26_500 * flops + 500 * halved
    assert table.loc["all", "gpu_hours"] == pytest.approx(total / (TERAFLOPS * 1e12) / 3600)
    assert table["models"].to_dict() == {"localization": 2, "low_pass": 1, "all": 2}
    assert table.loc["all", "weights_gb"] == pytest.approx(4 * (parameters + same) / 1e9)


def test_the_challenge_has_three_views_of_an_original_and_a_cut_of_ones_own_seven():
    vit = {**VIT, "experiments": ["background"]}
    config = {"scale": "made", "data": {"kind": "photos"}, "images": "photos", "boxes": "boxes", "claims": []}
    config |= {"models": {"vit": vit}, "experiments": {"background": {"images": 5000}}}
    challenge = {"kind": "imagenet9", "experiments": ["background"], "images": "bg", "images_per_class": 100}
    flops, _, _ = size_of(ModelSpec("vit", **VIT))
    for sets, passes in (({}, 7 * 5000), ({"challenge": challenge}, 3 * 900)):
        row = estimate(scale.parse({**config, "sets": sets})).set_index("experiment").loc["background"]
        assert row["exaflops"] == pytest.approx(passes * flops / 1e18)
        assert row["reading_hours"] == pytest.approx(passes / IMAGES_PER_SECOND / 3600)


def test_a_scale_of_the_lab_is_estimated_model_by_model_and_experiment_by_experiment():
    smoke = scale.read(ROOT / "workflow/scales/smoke.yaml")
    table = estimate(smoke).set_index("experiment")
    assert table.index[-1] == "all" and (table["exaflops"] > 0).all()
    assert {"collect", "visualize", "embed"} <= set(table.index)


def test_the_kept_estimates_are_of_all_experiments_and_models_of_the_paper_scale():
    paper = scale.read(ROOT / "workflow/scales/paper.yaml")
    kept = pd.read_csv(ROOT / "results/reference/estimates.csv").set_index("experiment")["models"]
    assert kept.to_dict() == {name: len(paper.taking_part(name)) for name in Graph(paper).experiments} | {
        "all": len(paper.models)
    }
