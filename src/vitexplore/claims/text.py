"""What a claim says: ``analyses/<claim>/claim.yaml``, read and checked, and which claims a scale tests."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from vitexplore.errors import InputError

SCHEMA = Path("workflow/schemas/claim.schema.yaml")  # in the checkout
# the paper's claims in its order
ORDER = (
    "ffn_over_qkv",
    "depth_progression",
    "variants",
    "augmentations",
    "maps_localize",
    "local_until_last",
    "isolated_cls",
    "head_on_patches",
    "learned_pooling",
    "background",
    "low_pass",
    "language_concepts",
)


@dataclass(frozen=True)
class Claim:
    """A parsed claim.yaml and the folder it came from."""

    folder: Path
    text: dict[str, Any]

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def experiment(self) -> str:
        return self.text["experiment"]

    @property
    def tables(self) -> list[str]:
        """The tables that its analysis is given: the one named like the experiment unless the claim names others."""
        return self.text.get("tables", [self.experiment])

    @property
    def figures(self) -> list[str]:
        """Names of its figures: the one from which its words can be read, then those that its analysis draws."""
        return [decision_figure(self.name), *self.text["figures"]]

    @property
    def statements(self) -> dict[str, dict[str, Any]]:
        """By id, the main one first."""
        return {s["id"]: s for s in self.text["statements"]}

    @property
    def twins(self) -> dict[str, dict[str, str]]:
        """By twin, the word that is wanted of each statement of which it is known (see planted/)."""
        return self.text.get("twins", {})


def decision_figure(claim: str) -> str:
    return f"decision_{claim}"


def read_claim(folder: Path, schema: Path) -> Claim:
    """The claim of a folder of analyses/. Raises InputError when its claim.yaml is not as ``schema`` wants it."""
    path = folder / "claim.yaml"
    try:
        text = yaml.safe_load(path.read_text())
        jsonschema.validate(text, yaml.safe_load(schema.read_text()))
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"{path}: {str(error).splitlines()[0]}") from error
    except jsonschema.ValidationError as error:
        raise InputError(f"{path}: {error.json_path}: {error.message}") from error
    return Claim(folder, text)


def claims_in_order(analyses: Path) -> dict[str, Claim | None]:
    """All claims by name: the paper's in its order, None for one that awaits its analysis; then any other folder's of
    ``analyses``, by name. Raises InputError where there is no such folder, and as `read_claim` does."""
    if not analyses.is_dir():
        raise InputError(f"{analyses}: no such folder of claims; run this in a clone of the project")
    schema = analyses.parent / SCHEMA
    found = {path.parent.name: read_claim(path.parent, schema) for path in sorted(analyses.glob("*/claim.yaml"))}
    return dict.fromkeys(ORDER) | found
