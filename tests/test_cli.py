"""The command line: help, errors of one line, and `check`'s exit codes."""

import math
import subprocess
import sys

import pandas as pd
import pytest

from vitexplore.cli import COMMANDS
from vitexplore.commands.check import DRIFTED, MISSING, SAME, agreements, compare
from vitexplore.commands.reference import bench_table, with_table
from vitexplore.commands.replicate import first_error, progress
from vitexplore.errors import InputError


def vitexplore(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "vitexplore", *words], capture_output=True, text=True, check=False)


def test_help_lists_every_command():
    shown = vitexplore("--help")
    assert shown.returncode == 0
    assert all(name in shown.stdout for name in COMMANDS)


def test_wrong_input_is_one_line_on_the_terminal_and_in_the_log(tmp_path):
    log = tmp_path / "index.log"
    words = ["--photos", str(tmp_path / "none"), "--out", str(tmp_path / "out"), "--broken", str(tmp_path / "b.csv")]
    done = vitexplore("--log", str(log), "index", *words)
    assert done.returncode == 2
    assert done.stderr.startswith("error: index: ") and done.stderr.count("\n") == 1
    assert done.stderr.strip() in log.read_text()
    assert not (tmp_path / "out").exists() and not (tmp_path / "b.csv").exists()
    assert first_error(tmp_path, since=0) == done.stderr.strip()


def test_unknown_model_key_is_refused():
    done = vitexplore(
        "embed", "--spec", '{"name": "m", "sourcce": "lab"}', "--data", ".", "--images", "1", "--out", "x"
    )
    assert done.returncode == 2
    assert "sourcce" in done.stderr and done.stderr.count("\n") == 1


def measured(**values):
    return pd.DataFrame([{"claim": "c", "statement": name, "measured": value} for name, value in values.items()])


@pytest.mark.parametrize(
    ("value", "code"), [(0.5, SAME), (0.52, SAME), (0.54, DRIFTED), (0.4, DRIFTED), (math.nan, MISSING)]
)
def test_check_compares_with_the_tolerance(value, code):
    lines = compare(measured(s=value), {("c", "s"): {"value": 0.5, "tolerance": 0.03}})
    assert [found for _, found in lines] == [code]


def test_check_counts_the_values_that_agree_with_the_papers():
    table = pd.DataFrame({"claim": ["background", "isolated_cls", "low_pass"], "values": ["8 of 8", "9 of 20", None]})
    assert [code for _, code in agreements(table)] == [SAME, DRIFTED]


def test_check_misses_what_is_not_there_on_either_side():
    assert [code for _, code in compare(measured(), {("c", "s"): {"value": 0.5, "tolerance": 0.1}})] == [MISSING]
    assert [code for _, code in compare(measured(s=0.5), {})] == [MISSING]


MARKS = "<!-- results: generated, do not edit -->", "<!-- end of results -->"


def test_readme_without_the_marks_is_refused():
    begin, end = MARKS
    assert with_table(f"a\n{begin}\nold\n{end}\nb", "results", "new\n") == f"a\n{begin}\n\nnew\n\n{end}\nb"
    with pytest.raises(InputError, match="marks"):
        with_table("no marks", "results", "new")


def test_bench_table_says_which_bars_were_missed(tmp_path):
    bars = pd.DataFrame([("a", 1.8, 2.0, True), ("b", 3.0, 2.5, False)], columns=["what", "bar", "measured", "reached"])
    bars.iloc[:1].to_csv(tmp_path / "a_bars.csv", index=False)
    bars.iloc[1:].to_csv(tmp_path / "b_bars.csv", index=False)
    assert bench_table(tmp_path).splitlines()[2:] == ["| a | 1.800 | 2.000 | yes |", "| b | 3.000 | 2.500 | no |"]


def test_progress_says_what_runs_and_how_much_is_left():
    lines = """Job stats:
job      count
-----  -------
total        4

[Sun Nov 22 12:00:00 2026]
localrule scenes:
    output: results/lab/data/images.parquet
    threads: 2
    resources: tmpdir=/tmp
Select jobs to execute...
1 of 4 steps (25%) done
rule experiment:
    wildcards: experiment=locality, model=vit
    resources: tmpdir=/tmp, gpu=0
error: locality: something is wrong
""".splitlines()
    clock = iter([0.0, 60.0, 120.0])
    assert list(progress(lines, lambda: next(clock))) == [
        "[0/4 done, starting] scenes",
        "[1/4 done, about 6.0 min left] experiment locality vit",
        "error: locality: something is wrong",
    ]


def test_reference_keeps_a_run_and_brings_readme_up_to_date(tmp_path):
    run, readme = tmp_path / "results/lab", tmp_path / "README.md"
    for name in ("claims.csv", "claims.md", "tables/background.csv", "figures/background.png"):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text(name)
    models = [mark.replace("results", "models") for mark in MARKS]
    readme.write_text(f"before\n{MARKS[0]}\n{MARKS[1]}\nafter\n{models[0]}\n{models[1]}\n")
    kept = tmp_path / "results/reference"
    done = vitexplore("reference", str(run), "--out", str(kept), "--readme", str(readme))
    assert done.returncode == 0, done.stderr
    assert (kept / "tables/background.csv").read_text() == "tables/background.csv"
    assert (kept / "figures/background.png").exists()
    begin, end = MARKS
    assert readme.read_text().startswith(f"before\n{begin}\n\nclaims.md\n\n{end}\nafter\n")
    assert "| ViT-B/16 | `timm/vit_base_patch16_384.orig_in21k_ft_in1k` | 384 |" in readme.read_text()
    assert vitexplore("reference", str(tmp_path), "--out", str(kept)).returncode == 2
