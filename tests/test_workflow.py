"""The workflow itself, at scale `smoke` in a copy of the project: a whole run with `check`, what reruns after an edit,
the report, a run that is killed. All tests of the finished run are here: each worker of pytest-xdist would make one of
its own. Other scales: test_other_scales.py; places: test_places.py."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
import yaml
from markupsafe import escape
from pages import lead_nowhere
from project import ROOT, SMOKE, copy_of_project, environment, said, snakemake

from vitexplore.claims.render import decisive
from vitexplore.claims.text import claims_in_order
from vitexplore.figures.plots import save_preview
from vitexplore.registry import shipped
from vitexplore.tools.orphans import RECORDS

BASE64 = 4 / 3  # bytes in the report of a byte that it embeds

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A copy of the project with a finished smoke run."""
    folder = copy_of_project(tmp_path_factory.mktemp("finished"))
    done = snakemake(folder, *SMOKE)
    assert done.returncode == 0, said(done)[-3000:]
    return folder


def test_check_is_green(finished):
    done = snakemake(finished, "check", *SMOKE)
    assert done.returncode == 0, said(done)


def test_every_claim_of_the_paper_is_listed(finished):
    table = pd.read_csv(finished / "results/smoke/claims.csv")
    words = table[table["statement"].isna()].set_index("claim")["word"]
    assert len(words) == 12
    assert "not run" not in set(words)
    decided = decisive(table)
    tested = decided[decided["word"] != "not testable"]
    assert len(tested) > 40 and tested[["measured", "low", "high", "n", "weights_sha256"]].notna().all(axis=None)
    claims = claims_in_order(ROOT / "analyses")
    said = [claims[row.claim].statements[row.statement] for row in tested.itertuples()]
    without = ["item" in each or each["control"].startswith("none") for each in said]  # counted, or none can be had
    assert tested["control"].isna().tolist() == without


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
    assert [path.name for path in folder.iterdir()] == ["vit.parquet"]
    assert set(pd.read_parquet(folder / "vit.parquet")["model"]) == {"vit", "vit_random", "clip"}


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
        "paper_data",
        "paper_figures",
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
    table = pd.read_csv(finished / "results/smoke/claims.csv")
    words = decisive(table[table["role"] == "paper"]).groupby("claim")["word"]
    assert first.count('class="word') == words.nunique().sum()  # one for each word of a claim's statements
    assert (ROOT / "workflow/report/report.css").read_text() in html  # puts the job graph below them


def test_report_of_a_kept_run_is_small(finished, tmp_path):
    html = finished / "results/smoke/report.html"
    embedded = [Path(path) for path in of_script(html.read_text(), "results")]
    size = html.stat().st_size - sum((finished / path).stat().st_size for path in embedded) * BASE64
    for path in embedded:  # as they are kept
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


# --- a run that is killed, and the next one

# claims, and the smoke run's models with what these take
CLAIMS = ["local_until_last", "isolated_cls", "background", "low_pass"]
TAKE = {
    "vit": ["locality", "token_mixing", "background", "low_pass"],
    "vit_random": ["locality", "token_mixing"],
    "cnn": ["locality", "background", "low_pass"],
    "clip": ["token_mixing", "background"],
}
REPLICATE = ["vitexplore", "replicate", *SMOKE]
SNAKEMAKE = ["snakemake", "--cores", "2", *SMOKE]


def started(folder: Path, words: list[str]) -> subprocess.Popen:
    """A run in a session of its own, when it has finished one more experiment and others are at work."""
    options = {"cwd": folder, "env": environment(folder), "start_new_session": True}
    before = len(tables_of(folder))
    with (folder / "killed.log").open("w") as log:
        run = subprocess.Popen([sys.executable, "-m", *words], stdout=log, stderr=log, **options)
    deadline = time.monotonic() + 300
    while len(tables_of(folder)) == before or not jobs_of(folder):
        assert run.poll() is None and time.monotonic() < deadline, (folder / "killed.log").read_text()
        time.sleep(0.05)
    return run


def tables_of(folder: Path) -> dict[Path, float]:
    """The experiments' tables that are there, and when they were written."""
    tables = (path for experiment in TAKE["vit"] for path in folder.glob(f"results/smoke/{experiment}/[!.]*"))
    return {path: path.stat().st_mtime for path in tables}


def with_few_claims(folder: Path) -> Path:
    """A copy of the project whose smoke run measures but a few of the claims."""
    path = copy_of_project(folder) / "workflow/scales/smoke.yaml"
    scale = yaml.safe_load(path.read_text())
    models = {name: model | {"experiments": TAKE[name]} for name, model in scale["models"].items() if name in TAKE}
    few = scale | {"models": models, "judges": {}, "claims": CLAIMS}
    path.write_text(yaml.safe_dump(few, sort_keys=False))
    return folder


def jobs_of(folder: Path) -> list[psutil.Process]:
    """The recorded jobs that are at work."""
    found = []
    for path in (folder / RECORDS).glob("*.json"):
        with suppress(psutil.Error, ValueError):  # gone meanwhile, or still being written
            process = psutil.Process(int(path.stem.rpartition("-")[2]))
            if "job" in process.cmdline():
                found.append(process)
    return found


def killed(run: subprocess.Popen, kill: Callable[[int, int], None], folder: Path) -> dict[Path, float]:
    kill(run.pid, signal.SIGKILL)
    run.wait()
    return tables_of(folder)


def test_replicate_goes_on_after_kills_to_the_same_tables(finished, tmp_path):
    """A Snakemake is killed alone, its jobs still at work; then a `replicate` with all that it started; then one whose
    Snakemake is killed, which ends by itself. The fourth run goes to the end."""
    folder = with_few_claims(tmp_path)
    made = killed(started(folder, SNAKEMAKE), os.kill, folder)
    assert jobs_of(folder), "no job was left at work"
    assert list((folder / ".snakemake/locks").iterdir())
    made |= killed(started(folder, REPLICATE), os.killpg, folder)
    run = started(folder, REPLICATE)
    (snakemake,) = [p for p in psutil.Process(run.pid).children() if "snakemake" in p.cmdline()]
    snakemake.kill()
    assert run.wait(30) != 0
    assert not jobs_of(folder)
    made |= tables_of(folder)
    command = [sys.executable, "-m", *REPLICATE]
    done = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False)
    assert done.returncode == 0, said(done)[-3000:]
    now = tables_of(folder)
    again = {path.parent.name for path, written in made.items() if now[path] != written}
    assert len(again) <= 2, f"made again: {again}"  # those that a kill caught while they were being renamed
    tables = [path.relative_to(folder) for path in now]
    assert len(tables) == len(TAKE["vit"])
    tables += [Path(f"results/smoke/tables/claim_{claim}.csv") for claim in CLAIMS]
    assert [name for name in tables if (finished / name).read_bytes() != (folder / name).read_bytes()] == []
    assert not list((folder / RECORDS).iterdir())
