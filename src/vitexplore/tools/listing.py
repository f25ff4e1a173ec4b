"""What experiments there are, for people and for programs."""

import json
from typing import Any

from pydantic.fields import FieldInfo

from vitexplore.experiments import Experiment
from vitexplore.registry import shipped


def as_text() -> str:
    """A paragraph for each experiment."""
    return "\n".join(_paragraph(entry) for entry in shipped().values())


def as_json() -> str:
    """A list of objects: name, title, module, tables (columns of each), arrays, families, needs, named_only, options (a
    JSON schema), passes_per_image (forward passes by family, at the default options; null where some have none)."""
    return json.dumps([_plain(entry) for entry in shipped().values()], indent=1) + "\n"


def _paragraph(entry: Experiment) -> str:
    lines = [f"{entry.name}: {entry.title}"]
    lines += [f"  table {name}: {', '.join(columns)}" for name, columns in entry.tables.items()]
    lines += [f"  arrays {name}" for name in entry.arrays]
    lines.append(f"  for {', '.join(entry.families)}{', where a model names it' if entry.named_only else ''}")
    if entry.needs:
        lines.append(f"  needs {', '.join(entry.needs)}")
    for name, field in entry.options.model_fields.items():
        about = f": {field.description}" if field.description else ""
        lines.append(f"  option {name} ({_default(field)}){about}")
    return "\n".join(lines) + "\n"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if isinstance(field.default, tuple):
        return " ".join(field.default) or "none"
    return str(field.default)


def _plain(entry: Experiment) -> dict[str, Any]:
    return {
        "name": entry.name,
        "title": entry.title,
        "module": f"vitexplore.experiments.{entry.name}",
        "tables": entry.tables,
        "arrays": entry.arrays,
        "families": entry.families,
        "needs": entry.needs,
        "named_only": entry.named_only,
        "options": entry.options.model_json_schema(),
        "passes_per_image": _passes_per_image(entry),
    }


def _passes_per_image(entry: Experiment) -> dict[str, float] | None:
    fields = entry.options.model_fields
    if "images" not in fields or any(field.is_required() for field in fields.values()):
        return None
    options = entry.options()
    return {family: entry.cost(options, family).passes / options.images for family in entry.families}
