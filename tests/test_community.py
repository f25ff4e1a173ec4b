"""What a host of the repository and its visitors read: workflows, issue forms, citation, changelog. They are of their
schemas, and say what the project says elsewhere."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from project import ROOT

from vitexplore.claims.text import ORDER

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = {path.stem: path for path in sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yml")) if path.stem != "config"}
SCHEMAS = {
    "github-workflows": WORKFLOWS,
    "github-issue-forms": list(FORMS.values()),
    "github-issue-config": [GITHUB / "ISSUE_TEMPLATE/config.yml"],
    "citation-file-format": [ROOT / "CITATION.cff"],
}


def read(path: Path) -> dict:
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize("schema, files", SCHEMAS.items(), ids=list(SCHEMAS))
def test_files_are_as_their_schema_wants_them(schema, files):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert files and done.returncode == 0, done.stdout + done.stderr


# workflows


def steps(workflow: Path) -> list[dict]:
    return [step for job in read(workflow)["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_only_reads_ends_and_pins_what_it_uses(workflow):
    text = read(workflow)
    assert text["permissions"] == {"contents": "read"} and text["concurrency"]
    assert all(job["timeout-minutes"] and "latest" not in job["runs-on"] for job in text["jobs"].values())
    uses = re.findall(r"uses: (.*)", workflow.read_text())
    assert uses and all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use) for use in uses), uses


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_takes_the_projects_python_and_calls_its_make_targets(workflow):
    (python,) = [step["with"] for step in steps(workflow) if "setup-python" in step.get("uses", "")]
    assert (ROOT / python["python-version-file"]).read_text() == ".".join(python_wanted()) + "\n"
    assert list(ROOT.glob(python["cache-dependency-path"]))
    targets = re.findall(r"^(\w[\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    commands = [step["run"].split() for step in steps(workflow) if "run" in step]
    assert commands and all(command[0] == "make" and set(command[1:]) <= set(targets) for command in commands)


def python_wanted() -> tuple[str, str]:
    """The Python of environment.yml, which pyproject.toml allows and ruff is told."""
    dependencies = read(ROOT / "environment.yml")["dependencies"]
    (wanted,) = [entry.removeprefix("python=") for entry in dependencies if str(entry).startswith("python=")]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["requires-python"] == f">={wanted}"
    assert project["tool"]["ruff"]["target-version"] == f"py{wanted.replace('.', '')}"
    return tuple(wanted.split("."))


# issue forms


def fields(form: str) -> dict[str, dict]:
    return {field["id"]: field for field in read(FORMS[form])["body"]}


def test_a_number_is_challenged_with_what_is_needed_to_measure_it_again():
    found = fields("number")
    assert list(found) == ["claim", "statement", "number", "measured", "command", "commit"]
    assert all(field["validations"]["required"] for field in found.values())


def test_a_run_is_reported_with_its_claims_and_what_they_rest_on():
    found = fields("run")
    assert list(found) == ["scale", "claims", "record", "machine", "trouble"]
    assert [name for name, field in found.items() if "validations" in field] == ["scale", "claims", "record", "machine"]


def test_the_claims_on_offer_are_those_of_the_analyses():
    offered = fields("number")["claim"]["attributes"]["options"]
    assert offered == list(ORDER)
    assert set(offered) == {path.parent.name for path in ROOT.glob("analyses/*/claim.yaml")}


def test_a_bug_comes_with_command_error_version_and_log():
    found = fields("bug")
    assert list(found) == ["command", "error", "version", "log"]
    assert [name for name, field in found.items() if "validations" in field] == ["command", "error", "version"]


# versions and authors


def test_citation_pyproject_and_changelog_agree():
    citation = read(ROOT / "CITATION.cff")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    released = re.search(r"^## \[(\d.*)\] - (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert citation["version"] == project["version"] == released[1]
    assert str(citation["date-released"]) == released[2]
    assert citation["license"] == project["license"]
    assert [author["name"] for author in citation["authors"]] == [author["name"] for author in project["authors"]]
    assert project["urls"]["Paper"] == citation["references"][0]["url"]
