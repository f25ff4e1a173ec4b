"""The command line: help, errors of one line, exit codes; and what `check` and `keep` stand on."""

import json
import math
import re
import subprocess
import sys
from importlib.metadata import version

import pandas as pd
import pytest
import torch

from vitexplore.claims.check import DRIFTED, MISSING, SAME, agreements, check, compare
from vitexplore.claims.decide import not_run
from vitexplore.claims.run import no_rehearsal
from vitexplore.claims.text import claims_in_order
from vitexplore.cli import commands
from vitexplore.cli.people import BUILD, COMMANDS
from vitexplore.errors import InputError
from vitexplore.graph import CHECKOUT
from vitexplore.provenance import versions
from vitexplore.registry import shipped
from vitexplore.tools.blocks import up_to_date, with_table
from vitexplore.tools.costs import COLUMNS
from vitexplore.tools.promote import promote
from vitexplore.tools.reference import bench_table, keep, renew_words, results_table, twins_block

EXAMPLES = [(command, example) for members in COMMANDS.values() for command, example in members.items()]


def python(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)


def vitexplore(*words: str) -> subprocess.CompletedProcess:
    return python("-m", "vitexplore", *words)


def with_check(body: str, *words: str) -> subprocess.CompletedProcess:
    """`vitexplore WORDS check claims.csv --scale lab`, where the work of `check` is ``body`` instead."""
    code = f"""
import sys
from vitexplore import cli
from vitexplore.claims import check
def made(*_):
    {body}
check.check = made
sys.argv = ["vitexplore", *{words!r}, "check", "claims.csv", "--scale", "lab"]
cli.main()
"""
    return python("-c", code)


# help


def test_help_lists_every_command_and_starts_without_torch_and_pandas():
    code = "import sys; from vitexplore.cli import main; sys.argv[1:] = ['--help']\ntry: main()\nexcept SystemExit: "
    shown = python("-c", f"{code}print('heavy:', {{'torch', 'pandas', 'matplotlib'}} & set(sys.modules))")
    assert shown.stdout.endswith("heavy: set()\n"), shown
    assert all(f" {name} " in shown.stdout for _, example in EXAMPLES for name in [example.split()[0]])
    assert all(group in shown.stdout for group in COMMANDS)


@pytest.mark.parametrize("command, example", EXAMPLES, ids=lambda value: getattr(value, "__name__", ""))
def test_help_of_a_command_ends_with_an_example_that_its_options_accept(command, example, capsys):
    app = commands(jobs=False)
    app([example.split()[0], "--help"], result_action="return_value")
    shown = capsys.readouterr().out
    assert f"vitexplore {example}" in " ".join(shown.split())
    assert app.parse_args(example.split(), exit_on_error=False, print_error=False)[0] is command


def test_the_version_names_the_libraries_that_numbers_depend_on():
    shown = " ".join(vitexplore("--version").stdout.split())
    assert shown == f"vitexplore {version('vitexplore')} ({versions()})"
    assert f"torch {torch.__version__.partition('+')[0]}" in shown


def test_jobs_are_there_when_they_are_asked_for():
    app = commands(jobs=True)
    command, given, _ = app.parse_args(["job", "figure", "accuracy", "--scale", "s.yaml"], exit_on_error=False)
    assert (command.__name__, given.arguments["name"]) == ("figure", "accuracy")


# options


def options(*words: str) -> dict:
    return commands(jobs=False).parse_args(words, exit_on_error=False, print_error=False)[1].arguments


def test_lists_are_several_words_after_one_option():
    given = options("report", "--configfile", "a.yaml", "b.yaml", "--config", "images=DIR", "boxes=DIR")
    assert [str(path) for path in given["configfile"]] == ["a.yaml", "b.yaml"]
    assert list(given["config"]) == ["images=DIR", "boxes=DIR"]


def test_the_device_may_come_from_the_environment_and_the_option_wins(monkeypatch):
    words = ["visualize", "lab/vit", "ffn:1:0"]
    assert "build" not in options(*words) and BUILD.device == "auto"
    monkeypatch.setenv("VITEXPLORE_DEVICE", "cuda:1")
    assert options(*words)["build"].device == "cuda:1"
    assert options(*words, "--device", "cpu")["build"].device == "cpu"


# errors


def test_wrong_input_is_one_line_on_the_terminal_and_in_the_log(tmp_path):
    log = tmp_path / "logs/check.log"
    done = vitexplore("--log", str(log), "check", str(tmp_path / "none.csv"), "--scale", "lab")
    assert done.returncode == 2
    assert done.stderr.startswith("error: check: ") and done.stderr.count("\n") == 1
    assert not done.stdout
    assert log.read_text().count("\n") == 1 and log.read_text().endswith(done.stderr)


@pytest.mark.parametrize(
    "words, said",
    [
        (["visuaize"], 'error: vitexplore: Unknown command "visuaize". Did you mean "visualize"?'),
        (["models", "--lke", "x"], "error: models: Unknown option: --lke. Did you mean --like?"),
        (["report", "--configfile"], "error: report: "),
        (["check", "claims.csv"], "error: check: "),
        (["top-images", "lab/vit"], "error: top-images: "),
        (["job", "experiment"], "error: job experiment: "),
    ],
)
def test_wrong_options_are_one_line_that_names_them(tmp_path, words, said):
    log = tmp_path / "command.log"
    done = vitexplore("--log", str(log), *words)
    assert done.returncode == 2
    assert done.stderr.startswith(said) and done.stderr.count("\n") == 1
    assert log.read_text().endswith(done.stderr)


def test_a_log_without_a_name_is_refused():
    assert vitexplore("models", "--log").returncode == 2


def test_a_defect_is_one_line_on_the_terminal_and_a_traceback_in_the_log(tmp_path):
    log = tmp_path / "check.log"
    done = with_check("1 / 0", "--log", str(log))
    assert done.returncode == 1
    assert done.stderr == "error: check: ZeroDivisionError: division by zero\n"
    assert "Traceback" in log.read_text() and done.stderr.strip() in log.read_text()


@pytest.mark.parametrize("body, code", [("return 2", 2), ("return 0", 0), ("pass", 0)])
def test_a_command_that_returns_a_number_exits_with_it(body, code):
    assert with_check(body).returncode == code


# lists


def test_experiments_are_listed_for_programs_with_tables_options_and_cost():
    shown = vitexplore("experiments", "--json")
    found = {entry["name"]: entry for entry in json.loads(shown.stdout)}
    assert list(found) == list(shipped()) and not shown.stderr
    locality = found["locality"]
    assert locality["module"] == "vitexplore.experiments.locality" and not locality["needs"]
    assert locality["tables"] == {"locality": ["block", "measure", "image", "value"]}
    assert locality["options"]["properties"]["patch"]["default"] == 32
    assert locality["passes_per_image"] == {"vit": 3, "clip": 3, "cnn": 3}
    assert found["visualize"]["passes_per_image"] is None  # some of its options have no default
    assert found["variants"]["named_only"] and not locality["named_only"]


def test_experiments_are_listed_for_people():
    shown = vitexplore("experiments").stdout
    for name, entry in shipped().items():
        assert f"{name}: {entry.title}\n" in shown
    assert "option patch (32): side in pixels" in shown and "option features (required): " in shown


# check


def measured(**values):
    common = {"claim": "c", "scope": "other models", "word": "seen"}
    rows = [common | {"statement": name, "measured": value} for name, value in values.items()]
    return pd.DataFrame(rows, columns=["claim", "statement", "scope", "measured", "word"])


@pytest.mark.parametrize(
    ("value", "code"), [(0.5, SAME), (0.52, SAME), (0.54, DRIFTED), (0.4, DRIFTED), (math.nan, MISSING)]
)
def test_check_compares_with_the_tolerance(value, code):
    lines = compare(measured(s=value), {("c", "s"): {"value": 0.5, "tolerance": 0.03}})
    assert [found for _, found in lines] == [code]


def test_check_counts_the_values_that_agree_with_the_papers():
    table = pd.DataFrame({"claim": ["background", "isolated_cls", "low_pass"], "values": ["8 of 8", "9 of 20", None]})
    assert [code for _, code in agreements(table)] == [SAME, DRIFTED]


def test_check_outside_a_clone_says_so(tmp_path):
    (tmp_path / "claims.csv").touch()
    with pytest.raises(InputError, match="no such folder of claims; run this in a clone"):
        check(tmp_path / "claims.csv", tmp_path / "analyses", "lab")


def test_check_misses_what_is_not_there_on_either_side():
    assert [code for _, code in compare(measured(), {("c", "s"): {"value": 0.5, "tolerance": 0.1}})] == [MISSING]
    assert [code for _, code in compare(measured(s=0.5), {})] == [MISSING]


# keep


def block(name: str, text: str) -> str:
    return f"<!-- {name}: generated, do not edit -->\n{text}\n<!-- end of {name} -->"


def test_a_page_without_the_marks_is_refused():
    before, after = block("results", "old"), block("results", "\nnew\n")
    assert with_table(f"a\n{before}\nb", "results", "new\n") == f"a\n{after}\nb"
    with pytest.raises(InputError, match="marks"):
        with_table("no marks", "results", "new")


def test_a_page_gets_the_blocks_that_it_has_marks_for():
    page = f"{block('models', '')}\n{block('others', 'as it was')}"
    assert up_to_date(page, {"models": "a", "bench": "b"}) == page.replace("-->\n\n<!--", "-->\n\na\n\n<!--")
    with pytest.raises(InputError, match="end of models"):
        up_to_date("<!-- models: generated, do not edit -->", {"models": "a"})


def test_results_are_counted_by_statement_and_shown_claim_by_claim():
    """Claims' own rows, extensions and single models do not count."""
    rows = [
        (None, None, "other models", "1 of 3 seen, 2 not seen"),
        ("a", "paper", "other models", "not seen"),
        ("a", "paper", None, "weaker"),
        ("b", "paper", "other models", "seen"),
        ("c", "paper", "other models", "not seen"),
        ("d", "extension", "other models", "opposite"),
    ]
    table = pd.DataFrame(rows, columns=["statement", "role", "scope", "word"])
    page = "How to read.\n\n| claim |\n| --- |\n| a |\n\n| statement |\n"
    said = "Of 3 statements of the paper at the scale `lab`: 1 seen, 2 not seen."
    assert results_table(table, page, "lab") == f"{said}\n\n| claim |\n| --- |\n| a |"


def test_bench_table_says_which_bars_were_missed(tmp_path):
    bars = pd.DataFrame([("a", 1.8, 2.0, True), ("b", 3.0, 2.5, False)], columns=["what", "bar", "measured", "reached"])
    bars.iloc[:1].to_csv(tmp_path / "a_bars.csv", index=False)
    bars.iloc[1:].to_csv(tmp_path / "b_gpu_bars.csv", index=False)
    assert bench_table(tmp_path).splitlines()[2:] == [
        "| a | 1.800 | 2.000 | yes |",
        "| on a GPU: b | 3.000 | 2.500 | no |",
    ]


def test_twins_are_counted_by_claim_and_their_figure_is_shown_where_it_is_kept(tmp_path):
    rows = [("b", "valid", 0.5), ("b", "insensitive", 0.5), ("b", None, 0.1), ("a", "valid", 0.0)]
    table, figure = pd.DataFrame(rows, columns=["claim", "instrument", "measured"]), tmp_path / "twins.png"
    lines = twins_block(table, figure).splitlines()
    assert lines[2:] == ["| b | 2 | 1 | 1 |", "| a | 1 | 1 | 1 |", "| all | 3 | 2 | 2 |"]
    figure.touch()
    address = re.search(r"!\[.{20,}\]\((.*)\)$", twins_block(table, figure)).group(1)
    assert (CHECKOUT / "docs" / address).resolve() == figure.resolve()


def test_keep_copies_a_run_and_brings_pages_up_to_date(tmp_path):
    run, page, kept = tmp_path / "results/lab", tmp_path / "page.md", tmp_path / "results/reference"
    of_paper = ("tables/paper/fig1.csv", "figures/paper/fig1.pdf")
    others = ("tables/background.csv", "figures/background.png", "figures/isolated_cls.png")
    for name in (*others, *of_paper):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text(name)
    (run / "claims.md").write_text("| claim |")
    columns = {
        "claim": "isolated_cls",
        "statement": "last_block",
        "role": "paper",
        "model": "vit",
        "weights_sha256": "ab12",
        "word": "weaker",
        "scope": "other models",
        "paper": 0.934,
        "instrument": "valid",
        "direction": "above",
        "margin": 0.8,
        "n": "9 images",
    }
    record = {"scale": "lab", "measured": [], "code": "", "device": [], "dtype": [], "libraries": [], "models": []}
    (run / "run.json").write_text(json.dumps(record))
    numbers = {"measured": 0.1208, "low": 0.0988, "high": 0.1414}
    first = not_run("isolated_cls", "not at this scale")
    row = first | columns | numbers | {"why": None}
    pd.DataFrame([first, row]).to_csv(run / "claims.csv", index=False)
    (run.parent / "costs.csv").write_text(f"{','.join(COLUMNS)}\nembed,resnet50,10,10,4.2,1100,10 images\n")
    made = (block(name, "old") for name in ("badges", "models", "numbers", "costs"))
    page.write_text("\n".join(["before", *made]))
    (kept / "figures/paper").mkdir(parents=True)
    (kept / "figures/paper/of_an_older_run.pdf").write_text("")
    (run / "figures/paper.csv").write_text(
        "item,file,claim\ntable1,figures/paper/fig1.pdf,isolated_cls head_on_patches\n"
    )
    keep(run, kept, [page])
    assert all((kept / name).exists() for name in of_paper)
    assert not (kept / "figures/paper/of_an_older_run.pdf").exists()
    assert 'href="figures/paper/fig1.pdf"' in (kept / "claims.html").read_text()
    assert (kept / "tables/background.csv").read_text() == "tables/background.csv"
    assert (kept / "figures/background.png").exists()
    assert 'href="figures/isolated_cls.png"' in (kept / "claims.html").read_text()
    assert "[![1 statements of the paper (lab): 1 weaker]" in page.read_text()
    assert (kept / "badges/statements.svg").exists()
    assert page.read_text().startswith("before\n") and "old" not in page.read_text()
    assert "| ViT-B/16 | `timm/vit_base_patch16_384.orig_in21k_ft_in1k` | 384 |" in page.read_text()
    assert "| 0.934 | 0.121 | 0.099 to 0.141 |" in page.read_text()  # of isolated_cls
    assert (kept / "costs.csv").exists() and "| embed | 1 | 1,000 | 10 images | 4 | 0.1 | 1.1 |" in page.read_text()
    badge = (kept / "badges/statements.svg").read_text()
    page.write_text(f"before\n{block('numbers', 'old')}")
    (kept / "claims.html").write_text("old")
    (kept.parent / "calibration.csv").write_text("of the suite")
    keep(kept, kept, [page])
    assert "| 0.934 | 0.121 | 0.099 to 0.141 |" in page.read_text() and (kept / "calibration.csv").exists()
    assert 'href="figures/paper/fig1.pdf"' in (kept / "claims.html").read_text()
    assert all((kept / name).exists() for name in of_paper) and (kept / "badges/statements.svg").read_text() == badge
    assert (
        "| isolated_cls | CLS gathers what it needs in the last block, and not before |"
        in (kept / "claims.md").read_text()
    )
    keep(run, tmp_path / "numbers", figures=False)
    assert (tmp_path / "numbers/tables/background.csv").exists() and (tmp_path / "numbers/claims.html").exists()
    assert not (tmp_path / "numbers/figures").exists()
    with pytest.raises(InputError, match="no claims"):
        keep(tmp_path, kept)


def test_words_of_instruments_are_renewed_and_numbers_stay_to_the_letter(tmp_path):
    before = (CHECKOUT / "results/reference/claims.csv").read_text()
    (tmp_path / "claims.csv").write_text(before.replace(",valid,", ",insensitive,"))
    renew_words(tmp_path, claims_in_order(CHECKOUT / "analyses"), tmp_path / "no_twins.csv")
    words = re.compile(",(valid|insensitive),")
    assert (tmp_path / "claims.csv").read_text() == words.sub(",not validated,", before) != before
    assert "| not validated | **seen** |" in (tmp_path / "claims.md").read_text()


@pytest.mark.parametrize("place", ["", "train/lab_vit_s0"])
def test_what_lies_in_a_rehearsal_is_neither_kept_nor_promoted(tmp_path, place):
    run = tmp_path / "results/rehearsal"
    (run / place).mkdir(parents=True)
    (run / place / "claims.csv").write_text("claim\n")
    (run / "run.json").write_text(json.dumps({"scale": "rehearsal", "rehearsal": True}))
    for refused in (lambda: keep(run / place, tmp_path / "kept"), lambda: promote([run / place])):
        with pytest.raises(
            InputError, match=r"rehearsal is a rehearsal, on made pictures and weights; take a real run"
        ):
            refused()
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("record", [{"scale": "lab", "rehearsal": False}, {"scale": "lab"}])
def test_a_real_run_is_no_rehearsal(tmp_path, record):
    (tmp_path / "run.json").write_text(json.dumps(record))
    no_rehearsal(tmp_path)
