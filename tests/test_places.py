"""Where the workflow can be run from: another folder, a clone in a path with a space, as a module of another workflow,
an environment in which the package is not installed."""

import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from project import copy_of_project, said, snakemake

pytestmark = pytest.mark.slow

TABLE = "results/smoke/embed/vit.parquet"
CLAIM = "results/smoke/claims/low_pass.json"


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("places") / "a clone"
    folder.mkdir()
    return copy_of_project(folder)


def ran(done: subprocess.CompletedProcess) -> None:
    assert done.returncode == 0, said(done)[-3000:]


def test_a_clone_in_a_path_with_a_space_from_another_folder(clone, tmp_path):
    words = ["-s", str(clone / "Snakefile"), "-d", str(tmp_path / "else where")]
    (tmp_path / "else where").mkdir()
    scale = ["--configfile", str(clone / "workflow/scales/smoke.yaml")]
    ran(snakemake(tmp_path, CLAIM, *words, *scale))
    assert (tmp_path / "else where" / CLAIM).exists()
    assert not (clone / "results").exists()


def test_inside_a_clone_in_a_path_with_a_space(clone):
    ran(snakemake(clone, TABLE, "--configfile", "workflow/scales/smoke.yaml"))
    assert set(pd.read_parquet(clone / TABLE)["model"]) == {"vit", "cnn"}
    shutil.rmtree(clone / "results")


def test_as_a_module_of_another_workflow(clone, tmp_path):
    (tmp_path / "Snakefile").write_text(
        f"""configfile: "{clone / "workflow/scales/smoke.yaml"}"


module vitexplore:
    snakefile: "{clone / "Snakefile"}"
    config: config


use rule * from vitexplore as vitexplore_*
"""
    )
    ran(snakemake(tmp_path, TABLE))
    assert (tmp_path / TABLE).exists()


def test_the_jobs_run_on_the_package_beside_the_snakefile(clone, tmp_path):
    """No PYTHONPATH, no installation of this clone: another checkout's package may be installed instead."""
    module = clone / "src/vitexplore/experiments/embed.py"
    before = module.read_text()
    module.write_text(
        before.replace("measure(model, loader, *, images: int)", "measure(model, loader, *, pictures: int)")
    )
    scale = ["--configfile", str(clone / "workflow/scales/smoke.yaml")]
    done = snakemake(tmp_path, TABLE, "-s", str(clone / "Snakefile"), "-d", str(tmp_path), *scale)
    module.write_text(before)
    assert done.returncode != 0
    log = (tmp_path / "results/smoke/logs/embed_vit.log").read_text()
    assert "unexpected keyword argument 'images'" in log


def test_bare_snakemake_runs_the_lab(clone):
    done = snakemake(clone, "--dry-run")
    ran(done)
    assert "results/lab/claims.csv" in said(done)
