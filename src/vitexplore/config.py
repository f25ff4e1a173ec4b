"""A scale's configuration: checked against its schema, one line an error."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from vitexplore.errors import InputError

EXPERIMENTS = ("collect", "visualize", "locality", "localization", "token_mixing", "background", "low_pass", "concepts")


def check_config(config: dict[str, Any], schema: Path) -> None:
    """Raises InputError, naming the key and the mend, for the first thing in ``config`` that ``schema`` (a file of the
    project's workflow/schemas) does not allow, for judges that are no judges, for models beside none that can lead, and
    for claims that are no folder of the project's analyses."""
    rules = yaml.safe_load(schema.read_text())
    errors = list(jsonschema.Draft202012Validator(rules).iter_errors(config))
    if errors:  # a misspelt key is also a missing one: the misspelling says more
        raise InputError(_describe(min(errors, key=lambda error: error.validator != "additionalProperties")))
    for model, judge in config["judges"].items():
        for name in (model, judge):
            if name not in config["models"]:
                raise InputError(f"config: judges: {name!r} is not among the models")
        if model == judge or config["models"][judge].get("weights") == "random":
            raise InputError(f"config: judges: {model} needs a judge that is another model with trained weights")
    for name, model in config["models"].items():
        for experiment in model.get("experiments", ()):
            if experiment not in config:
                raise InputError(f"config: {name} takes part in {experiment}, but there is no key {experiment!r}")
    leaders = [name for name, model in config["models"].items() if "beside" not in model]
    for name, model in config["models"].items():
        if "beside" in model and model["beside"] not in leaders:
            near = " or ".join(difflib.get_close_matches(model["beside"], leaders, n=1) or leaders)
            wrong = f"models.{name}.beside: {model['beside']!r} is no other model that stands by itself"
            raise InputError(f"config: {wrong}; did you mean {near}?")
    if "concepts" in config:
        namer = config["concepts"]["judge"]
        if config["models"].get(namer, {}).get("family") != "clip":
            raise InputError(
                f"config: concepts.judge: {namer!r} is no CLIP among the models; name one whose words count"
            )
    claims = sorted(path.parent.name for path in schema.parents[2].glob("analyses/*/claim.yaml"))
    for place, claim in enumerate(config["claims"]):
        if claim not in claims:
            near = " or ".join(difflib.get_close_matches(claim, claims, n=1) or claims)
            raise InputError(f"config: claims.{place}: {claim!r} is not one of analyses/*; did you mean {near}?")
    if config["data"]["kind"] == "photos" and not config.get("images"):
        raise InputError("config: images is missing: add --config images=DIR, a folder with <WordNet id>/*.JPEG")


def _describe(error: jsonschema.ValidationError) -> str:
    where = ".".join(str(part) for part in error.absolute_path) or "top level"
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        unknown = sorted(set(error.instance) - set(known))[0]
        near = difflib.get_close_matches(unknown, known, n=1) or sorted(known)
        return f"config: {where}: unknown key {unknown!r}; did you mean {' or '.join(near)}?"
    return f"config: {where}: {error.message}"


def claims_of(analyses: Path, schema: Path) -> dict[str, tuple[str, list[str]]]:
    """Of every claim of ``analyses``, by name in alphabetical order: its experiment, and the figures that its analysis
    draws. Raises InputError for a claim.yaml that is not as ``schema`` wants it."""
    texts = {path.parent.name: claim_text(path, schema) for path in sorted(analyses.glob("*/claim.yaml"))}
    return {claim: (text["experiment"], text["figures"]) for claim, text in texts.items()}


def claim_text(path: Path, schema: Path) -> dict[str, Any]:
    """What the claim.yaml at ``path`` says. Raises InputError when it is not as ``schema`` wants it."""
    try:
        text = yaml.safe_load(path.read_text())
        jsonschema.validate(text, yaml.safe_load(schema.read_text()))
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"{path}: {str(error).splitlines()[0]}") from error
    except jsonschema.ValidationError as error:
        raise InputError(f"{path}: {error.json_path}: {error.message}") from error
    return text


def experiments_of(model: dict[str, Any]) -> tuple[str, ...]:
    """The experiments that a model takes part in: those it names, else all of EXPERIMENTS that suit its family
    (``variants`` and ``ablation`` only where they are named)."""
    if "experiments" in model:
        return tuple(model["experiments"])
    if model["family"] == "cnn":
        return tuple(name for name in EXPERIMENTS if name != "token_mixing")
    return EXPERIMENTS


def groups_of(models: dict[str, Any], names: Iterable[str]) -> dict[str, list[str]]:
    """``names`` of ``models``, together those that one job takes: each with the ones beside it, in their order, by its
    own name, or by the first one's where it is not among ``names`` itself."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(models[name].get("beside", name), []).append(name)
    return {leader if leader in members else members[0]: members for leader, members in groups.items()}


def spec_of(name: str, model: dict[str, Any]) -> dict[str, Any]:
    """What ModelSpec takes: the model's entry with its name, less what only the workflow reads."""
    of_workflow = ("experiments", "depths", "beside")
    return {"name": name} | {key: value for key, value in model.items() if key not in of_workflow}
