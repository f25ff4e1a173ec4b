"""The three texts that pin the environment agree, and what is made from the code is up to date."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from vitexplore.scale import scale_type

ROOT = Path(__file__).parent.parent


def pins(path: str) -> dict[str, str]:
    lines = (ROOT / path).read_text().splitlines()
    found = [re.match(r"([A-Za-z0-9._-]+)==([^ ;]+)", line) for line in lines]
    return {match[1].lower().replace("_", "-"): match[2] for match in found if match}


def test_environment_yml_has_the_pins_of_the_lock():
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    lines = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")]
    assert next(entry["pip"] for entry in dependencies if isinstance(entry, dict)) == lines
    assert "python=3.11" in dependencies


def test_every_line_of_the_lock_is_pinned():
    lines = (ROOT / "requirements.lock").read_text().splitlines()[1:]
    assert all(re.match(r"[A-Za-z0-9._-]+==[^ ]+", line) for line in lines)


def test_lock_fits_what_the_package_asks_for():
    locked = pins("requirements.lock")
    for requirement in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]:
        name, _, version = requirement.lower().replace("_", "-").partition("==")
        assert name in locked
        assert version in ("", locked[name])


@pytest.mark.parametrize("extra", ["weights", "bench"])
def test_lock_of_an_extra_fits_it(extra):
    locked = pins(f"requirements-{extra}.lock")
    for requirement in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"][extra]:
        name, _, version = requirement.partition("==")
        assert name in locked
        assert version in ("", locked[name])


def test_no_output_of_the_library_goes_to_print():
    for path in (ROOT / "src").rglob("*.py"):
        prints = re.findall(r"^\s*print\(", path.read_text(), re.MULTILINE)
        assert len(prints) <= (path.name == "cli.py"), path


def test_the_scale_schema_that_is_shown_is_the_types_own():
    shown = (ROOT / "workflow/schemas/scale.schema.json").read_text()
    assert shown == json.dumps(scale_type().model_json_schema(), indent=1) + "\n"
