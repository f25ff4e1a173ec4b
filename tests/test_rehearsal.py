"""The scale `hub` from download to claims table, on a stand-in server: what it reads is made, how it runs is real."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import rehearsal
import yaml
from project import ROOT, copy_of_project, said, snakemake

from vitexplore.claims.run import REHEARSED
from vitexplore.errors import InputError
from vitexplore.scale import read
from vitexplore.tools.promote import promote
from vitexplore.tools.reference import keep

SMALL = {
    "locality": {"images": 12, "patch": 16},
    "localization": {"images": 40, "features": 20},
    "visualize": {"images": 20, "features": 2, "recipes": [{"name": "paper", "steps": 3, "copies": 1}]},
    "features": {"words": 20},
}
RESULTS = Path("results/rehearsal")


def rehearsed(folder: Path, models: dict, side: int, classes: int, each: int, count: int, **more) -> Path:
    """A copy of the project in which `hub` was run on made files, inside a network namespace where that is allowed."""
    project, files = folder / "project", folder / "files"
    for place in (project, files):
        place.mkdir()
    copy_of_project(project)
    rehearsal.make(files, models, side, classes, each, count)
    scale = rehearsal.scale(models, classes, each, count, **more)
    (project / "rehearsal.yaml").write_text(yaml.safe_dump(scale))
    inside = rehearsal.alone()
    command = [*inside, sys.executable, rehearsal.__file__, str(project), str(files), *(["--alone"] if inside else [])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, said(done)[-5000:]
    return project


def claims(project: Path) -> pd.DataFrame:
    table = pd.read_csv(project / RESULTS / "claims.csv")
    return table[table["claim"].isin(read(ROOT / rehearsal.HUB).claims)]


def check(project: Path) -> None:
    """What holds after any rehearsal."""
    table = claims(project)
    words = table[table["statement"].isna()].set_index("claim")["word"]
    assert set(words.index) == set(read(ROOT / rehearsal.HUB).claims)
    assert not set(words) & {"reproduced", "not found"}  # those are of the paper's weights alone
    assert set(table["scope"].dropna()) <= {"other models", "the paper's models, other images"}
    assert table["values"].isna().all()
    run = json.loads((project / RESULTS / "run.json").read_text())
    assert run["rehearsal"] and {model["model"] for model in run["models"]} == set(read(ROOT / rehearsal.HUB).models)
    assert (project / RESULTS / "claims.md").read_text().startswith(f"**{REHEARSED}**")
    assert REHEARSED in (project / RESULTS / "claims.html").read_text()
    records = {path.stem for path in (project / "downloads").glob("*.json")}
    assert records >= {"imagenetv2", "backgrounds_challenge", "coco_val2017", "coco_annotations2017"}
    again = snakemake(project, rehearsal.TARGET, "--configfile", *rehearsal.SCALES, "--dry-run")
    assert "Nothing to be done" in said(again), said(again)[-3000:]


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    return rehearsed(tmp_path_factory.mktemp("small"), rehearsal.SMALL, 72, 24, 4, 240, experiments=SMALL)


@pytest.mark.slow
def test_small_twins_of_the_models_go_from_download_to_claims_table(small):
    check(small)
    table = claims(small)
    assert set(table.loc[table["word"] == "not run", "claim"]) <= {"ffn_over_qkv"}  # three steps leave features dead
    table = pd.read_parquet(small / RESULTS / "background/vit_b16_224.parquet")
    assert set(table["along"]) == {"", "published"} and table["image"].nunique() == 36
    assert set(table["model"]) == {"vit_b16_224", "deit_b16", "resnet50", "mobilenet_v2"}
    assert set(pd.read_parquet(small / RESULTS / "token_mixing/vit_b16.parquet")["classes"]) == {1000}
    isolated = pd.read_parquet(small / RESULTS / "token_mixing/vit_b16.parquet").query("surgery == 'isolated_cls'")
    assert isolated["at"].tolist() == [0, 6, 11, 12] and isolated["rank"].map(len).unique().tolist() == [24]
    concepts = pd.read_parquet(small / RESULTS / "concepts/deit_b16.parquet")
    assert "animal" in set(concepts["concept"])


@pytest.mark.slow
def test_a_rehearsal_is_never_kept_nor_promoted(small, tmp_path):
    with pytest.raises(InputError, match=r"rehearsal: .* is a rehearsal, on made pictures and weights"):
        keep(small / RESULTS, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
    with pytest.raises(InputError, match="is a rehearsal"):
        promote([small / RESULTS / "train/lab_vit_s0"])


@pytest.mark.registry
def test_all_models_at_full_size_on_a_few_pictures(tmp_path):
    few = {"locality": {"images": 3}, "localization": {"images": 40, "features": 20}}
    few |= {"visualize": {"images": 20, "features": 2, "recipes": [{"name": "paper", "steps": 1, "copies": 1}]}}
    few |= {"features": {"words": 20}, "token_mixing": {"images": 6}, "low_pass": {"images": 6}}
    project = rehearsed(tmp_path, rehearsal.FULL, 400, 20, 1, 216, experiments=few)
    check(project)
    table = claims(project)
    assert "maps_localize" not in set(table.loc[table["word"] == "not run", "claim"])  # of enough images
