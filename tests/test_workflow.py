"""The workflow itself, at scale `smoke` in a copy of the project: a whole run with `check`, what reruns after an edit,
the report, photographs, the paper's scale without data. Places and crashes: test_places.py, test_recovery.py."""

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from markupsafe import escape
from pages import lead_nowhere
from project import ROOT, SMOKE, copy_of_project, environment, said, snakemake

from vitexplore.claims.render import decisive
from vitexplore.claims.text import claims_in_order
from vitexplore.figures.plots import save_preview
from vitexplore.registry import shipped

BASE64 = 4 / 3  # bytes in the report of a byte that it embeds
PHOTOS = ROOT.parent / "shared" / "photos"

pytestmark = pytest.mark.slow


def test_check_is_green(finished):
    done = snakemake(finished, "check", *SMOKE)
    assert done.returncode == 0, said(done)


def test_every_claim_of_the_paper_is_listed(finished):
    table = pd.read_csv(finished / "results/smoke/claims.csv")
    words = table[table["statement"].isna()].set_index("claim")["word"]
    assert len(words) == 12
    assert "not run" not in set(words)
    decided = decisive(table)
    assert decided[["measured", "low", "high", "control", "n", "weights_sha256"]].notna().all(axis=None)


def test_claims_and_atlas_lead_to_each_other(finished):
    page = finished / "results/smoke/claims.html"
    assert 'href="atlas/index.html#claims/low_pass"' in page.read_text() and lead_nowhere(page) == []
    assert '"../claims.html#low_pass"' in (finished / "results/smoke/atlas/catalog.js").read_text()


def test_rows_carry_where_they_come_from(finished):
    table = pd.read_parquet(finished / "results/smoke/background/vit.parquet")
    columns = {"model", "architecture", "weights", "data", "preprocessing", "seed", "device", "dtype", "libraries"}
    assert columns <= set(table.columns)


def test_a_model_beside_another_stands_in_its_table(finished):
    folder = finished / "results/smoke/token_mixing"
    assert sorted(path.name for path in folder.iterdir()) == ["clip.parquet", "vit.parquet"]
    assert set(pd.read_parquet(folder / "vit.parquet")["model"]) == {"vit", "vit_random"}


def jobs(done: subprocess.CompletedProcess) -> set[str]:
    """The rules of which a dry run says that they would run."""
    assert done.returncode == 0, said(done)[-3000:]
    stats = said(done).partition("Job stats:")[2].partition("Reasons")[0]
    return set(re.findall(r"^(\w+) +\d+$", stats, re.MULTILINE)) - {"total", "all"}


@pytest.fixture
def pending(finished):
    """What would run again after ``old`` is ``new`` in a file."""
    changed = {}

    def after(path: str, old: str, new: str) -> set[str]:
        file = finished / path
        changed.setdefault(file, file.read_text())
        assert old in changed[file], f"{path} has no {old!r}"
        file.write_text(changed[file].replace(old, new, 1))
        return jobs(snakemake(finished, *SMOKE, "--dry-run"))

    yield after
    for file, text in changed.items():
        file.write_text(text)


def test_nothing_is_left_to_do(finished):
    assert "Nothing to be done" in said(snakemake(finished, *SMOKE, "--dry-run"))


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("measures/background.py", "FULL = View", "# a comment\nFULL = View"),
        ("measures/background.py", '"""Foreground and background reliance', '"""Another docstring. Foreground'),
        ("visualize/optimize.py", 'log.warning("out of memory: going on', 'log.warning("no memory left: going on'),
        ("progress.py", "EVERY = 10.0", "EVERY = 20.0"),
    ],
)
def test_a_comment_a_docstring_a_log_line_rerun_nothing(pending, path, old, new):
    assert pending(f"src/vitexplore/{path}", old, new) == set()


def test_a_legend_reruns_nothing_that_runs_a_model(pending):
    rules = pending("src/vitexplore/figures/plots.py", "axis.legend(title=None", "axis.legend(title='models'")
    assert "claim_isolated_cls" in rules and "training_figure" in rules
    assert not rules & set(shipped())


def test_a_changed_constant_reruns_just_what_reads_it(pending):
    rules = pending("src/vitexplore/measures/background.py", '"mean_image"', '"mean_picture"')
    assert rules == {
        "background",
        "accuracy_tables",
        "claim_background",
        "claims",
        "paper_data",
        "paper_figures",
        "atlas",
    }


def test_a_changed_analysis_reruns_its_claim_alone(pending):
    assert pending("analyses/low_pass/analysis.py", "/ (x[-1] - x[0])", "/ (x[-1] - x[0]) * 1.0") == {
        "claim_low_pass",
        "claims",
        "atlas",
    }


def test_a_changed_budget_reruns_that_experiment_and_no_other(pending):
    rules = pending("workflow/scales/smoke.yaml", "low_pass: {images: 160}", "low_pass: {images: 150}")
    assert rules == {"low_pass", "accuracy_tables", "claim_low_pass", "claims", "paper_data", "paper_figures", "atlas"}


def test_what_files_and_command_line_say_together_reaches_the_jobs(finished, tmp_path):
    more = tmp_path / "more.yaml"
    more.write_text("experiments: {low_pass: {images: 24}}\n")
    words = ["--configfile", "workflow/scales/smoke.yaml", str(more), "--config", "scale=merged", "data={count: 40}"]
    table = "results/merged/low_pass/vit.parquet"
    done = snakemake(finished, table, *words)
    assert done.returncode == 0, said(done)[-3000:]
    assert len(pd.read_parquet(finished / "results/merged/data/images.parquet")) == 40
    assert pd.read_parquet(finished / table)["image"].nunique() == 24
    shutil.rmtree(finished / "results/merged")


def test_report_opens_without_a_network(finished):
    command = [sys.executable, "-m", "vitexplore", "report", *SMOKE]
    done = subprocess.run(command, cwd=finished, env=environment(finished), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    html = (finished / "results/smoke/report.html").read_text()
    assert not re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=[\"']https?://", html)
    rows = pd.read_csv(finished / "results/smoke/claims.csv")
    main = rows[rows["claim"] == "isolated_cls"].iloc[1]
    assert f"{main['measured']:.3f}" in html and main["word"] in html


def of_script(html: str, name: str) -> Any:
    """The value of a variable of the report's page."""
    return json.loads(re.search(rf'<script id="{name.replace("_", "-")}">\s*var {name} = (.*);\n', html)[1])


def test_report_opens_on_the_claims(finished):
    html = (finished / "results/smoke/report.html").read_text()
    first, claims = of_script(html, "workflow_desc"), claims_in_order(ROOT / "analyses")
    assert all(str(escape(claim.text["title"])) in first for claim in claims.values())
    assert first.count('class="word') == len(claims)
    assert (ROOT / "workflow/report/report.css").read_text() in html  # puts the job graph below them


def test_report_of_the_lab_is_small(finished, tmp_path):
    html = finished / "results/smoke/report.html"
    embedded = [Path(path) for path in of_script(html.read_text(), "results")]
    size = html.stat().st_size - sum((finished / path).stat().st_size for path in embedded) * BASE64
    for path in embedded:  # the lab's, as they are kept
        kept = ROOT / "results/reference" / path.relative_to("results/smoke")
        if path.parent.name == "report":
            save_preview(
                ROOT / "results/reference/figures" / path.with_suffix(".png").name, kept := tmp_path / path.name
            )
        size += kept.stat().st_size * BASE64
    assert embedded and size < 15e6


def test_report_is_refused_while_something_is_left_to_do(finished):
    table = finished / "results/smoke/claims.csv"
    moved = table.rename(table.with_suffix(".moved"))
    command = [sys.executable, "-m", "vitexplore", "report", *SMOKE]
    done = subprocess.run(command, cwd=finished, env=environment(finished), capture_output=True, text=True, check=False)
    moved.rename(table)
    assert done.returncode == 2 and "not finished" in done.stderr


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
    began = time.monotonic()
    done = snakemake(folder, "results/paper/data/images.parquet", *paper)
    assert done.returncode != 0 and time.monotonic() - began < 60
    assert re.search(r"data/imagenet/(train|val): no such folder; put images/<WordNet id>/\*\.JPEG there", said(done))


@pytest.mark.skipif(not PHOTOS.exists(), reason="the folder of photographs is not there")
def test_photographs_with_real_weights(tmp_path):
    folder = copy_of_project(tmp_path)
    quick = "experiments:\n  visualize: {features: 2, depths: [middle], images: 60, recipes: [{name: fast, steps: 3}]}"
    quick += "\n  ablation: {images: 60}\n  background: {images: 40}\n  collect: {images: 60}\n  embed: {images: 60}\n"
    quick += "  low_pass: {images: 4}\n  locality: {images: 4}\n  localization: {images: 4}\n"
    quick += "claims: [ffn_over_qkv, background]\n"
    beside = "{experiments: [low_pass], beside: efficientnet_lite0}"
    quick += f"models: {{efficientnet_lite1: {beside}, efficientnet_lite2: {beside}}}\n"
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
    assert "needs models of these families" in claims.loc["background", "scope"]
    without = snakemake(folder, *scale, "--dry-run")
    assert without.returncode == 0 and "tables/background.csv" not in said(without)
