"""What a scale costs: each experiment can be measured, what models share counts once; the table extrapolates by passes
and says nothing of what was not measured."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rehearsal
from PIL import Image
from project import ROOT

from vitexplore.data.imagenet9 import is_imagenet9
from vitexplore.data.images import ImageSet, spread
from vitexplore.data.said import SAID
from vitexplore.graph import Graph
from vitexplore.measures import dissect
from vitexplore.measures.factors import candidates
from vitexplore.measures.imagenet9 import originals
from vitexplore.scale import Scale, parse, read
from vitexplore.tools import costs
from vitexplore.tools.cost_table import costs_table, extrapolated
from vitexplore.tools.estimate import TERAFLOPS, size_of
from vitexplore.tools.stand_ins import CATEGORIES, write_stand_ins

WNIDS = ("n01443537", "n02092002", "n02504458", "n04548280")
PAIRS = 25  # of hub
VIT = {"source": "timm", "architecture": "vit_tiny_patch16_224", "family": "vit"}


def pictures(folder: Path) -> Path:
    """Six noisy ones of each of four classes."""
    rng = np.random.default_rng(0)
    for number in range(24):
        path = folder / WNIDS[number % 4] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (72, 90, 3), dtype=np.uint8)).save(path)
    return folder


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Scale:
    """The scale with small models, and what stands in for its photographs listed in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(costs, "THREADS", 1)
    whole = read(ROOT / rehearsal.HUB)
    small = {}
    for name, model in whole.models.items():
        changes = rehearsal.SMALL[name]
        small[name] = replace(model, architecture=changes["architecture"], input_size=changes["input_size"])
    hub = whole.model_copy(update={"models": small, "images": str(pictures(tmp_path / "photos"))})
    write_stand_ins(Graph(costs.reduced(hub)), 1)
    return hub


def row(hub: Scale, experiment: str, model: str) -> pd.Series:
    out = Path("rows") / experiment / f"{model}.csv"
    costs.measure(hub, experiment, model, out)
    (found,) = pd.read_csv(out).to_dict("records")
    return pd.Series(found)


def test_what_stands_in_for_coco_has_every_concept_and_for_the_challenge_every_variant(hub):
    sets = {name: ImageSet.read(Path("results/costs") / name) for name in ("data", "coco", "imagenet9")}
    concepts = candidates(sets["coco"], spread(len(sets["coco"]), len(sets["coco"])))
    assert len(concepts) == len(SAID) + 2 * CATEGORIES and all(concept.usable() for concept in concepts)
    assert len({concept.found_on.tobytes() for concept in concepts}) == 1 + 2 * CATEGORIES  # none is ranked for another
    assert sets["coco"].has_boxes.all() and 0 < sets["coco"].mask(0).mean() < 1
    assert is_imagenet9(sets["imagenet9"]) and originals(sets["imagenet9"]) == len(sets["data"]) == 24
    assert set(sets["imagenet9"].labels) == set(range(9))


@pytest.mark.slow
def test_every_experiment_of_hub_is_measured(hub):
    """Each on the last of its models."""
    graph = Graph(hub)
    table = pd.DataFrame([row(hub, name, graph.models(name)[-1]) for name in graph.experiments])
    assert list(table.columns) == costs.COLUMNS
    assert (table["seconds"] > 0).all() and (table["peak_mb"] > 100).all()
    found = extrapolated(table, hub)
    assert len(found) == PAIRS and found["hours"].notna().sum() == len(table) == len(hub.experiments.model_fields_set)
    passes = table.set_index("experiment")["passes"]
    assert passes["background"] == 3 * 10 and passes["low_pass"] == 6 * 10 and passes["responses"] == 10 + 10
    assert passes["visualize"] == 2 * 4 * 4 * 2 * (1 + 2) * 0.5 + 2 * 10  # fast takes one copy a step, paper two
    said = table.set_index("experiment")["measured"]
    assert said["concepts"] == "180 images" and said["features"] == "20 images, 60 of 3000 words"
    assert said["visualize"].startswith("10 images, 2 of 8 features a site, 4 of 60 steps: ")


def test_what_the_models_of_a_job_share_counts_for_the_first_of_them(hub, monkeypatch):
    counted, meanwhile, timed, answers = [], [], costs.timed, dissect.answers

    def watched(work, device):
        counted.append(True)
        found = timed(work, device)
        counted.clear()
        return found

    monkeypatch.setattr(costs, "timed", watched)
    monkeypatch.setattr(dissect, "answers", lambda *given: meanwhile.append(bool(counted)) or answers(*given))
    row(hub, "concepts", "deit_b16")
    row(hub, "concepts", "deit_b16_random")
    assert meanwhile == [True, False]


def test_hours_are_for_as_many_passes_as_the_scale_takes_and_a_gpus_are_from_flops():
    half = {**VIT, "input_size": 112}
    config = {"scale": "made", "data": {"kind": "scenes"}, "claims": [], "models": {"vit": VIT, "half": half}}
    made = parse(config | {"experiments": {"localization": {"images": 500}, "low_pass": {"images": 1000}}})
    rows = [("localization", "vit", 20, 20, 10, 900, "a"), ("localization", "half", 20, 20, 4, 2000, "a")]
    rows += [("low_pass", "vit", 20, 260, 30, 500, "b")]
    found = pd.DataFrame(rows, columns=costs.COLUMNS)
    table = extrapolated(found, made).set_index(["experiment", "model"])
    assert table.loc[("localization", "vit"), "hours"] == pytest.approx(10 * 25 / 3600)
    assert table.loc[("low_pass", "vit"), "hours"] == pytest.approx(30 * 50 / 3600)
    flops, _, _ = size_of(made.models["vit"])
    assert table.loc[("low_pass", "vit"), "gpu_minutes"] == pytest.approx(13_000 * flops / (TERAFLOPS * 1e12) / 60)
    lines = costs_table(found, made).splitlines()
    assert lines[2].startswith("| localization | 2 | 500 | a | 14 | 0.1 | 2.0 | ")
    assert lines[3].startswith("| low_pass | 2 | 1,000 |  |  |  |  | ")  # one of its models was not measured
    assert lines[4].startswith("| all | 2 |  |  |  |  |  | ") and len(lines) == 5
