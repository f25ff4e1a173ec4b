"""The claims on a network of one's own, which takes the place of the lab's model of its architecture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from vitexplore.claims.instrument import COLUMNS
from vitexplore.claims.render import claims_table, decisive
from vitexplore.claims.text import ORDER
from vitexplore.errors import InputError, nearest
from vitexplore.io import write_text
from vitexplore.statistics.verdict import NOT_RUN
from vitexplore.tools.replicate import run_claims
from vitexplore.tools.report import LAB


def on_checkpoint(checkpoint: Path, architecture: str, claims: Sequence[str], cores: str) -> pd.DataFrame:
    """Run ``claims`` at the lab's scale with the weights of ``checkpoint`` in the place of the lab's own: a row a
    statement, in columns of the table of twins. Results stay in results/<scale>, where an interrupted run goes on.
    Raises InputError for a claim or an architecture that the lab has not, and where a job fails."""
    for claim in claims:
        if claim not in ORDER:
            raise InputError(f"no claim {claim!r}; did you mean {nearest(claim, ORDER)}?")
    if not checkpoint.exists():
        raise InputError(f"{checkpoint}: no such file; name a safetensors file or a plain state dict")
    changes = in_place(yaml.safe_load(LAB.read_text()), checkpoint, architecture, claims)
    folder = Path("results") / changes["scale"]
    own = folder / "scale.yaml"
    write_text(own, yaml.safe_dump(changes, sort_keys=False))
    if run_claims([LAB, own], folder, claims, cores):
        raise InputError(f"the run failed; its first error stands above, the logs are in {folder / 'logs'}")
    rows = claims_table([folder / f"claims/{claim}.json" for claim in claims], [])
    if (missing := rows[rows["word"] == NOT_RUN]).size:
        raise InputError(f"{missing['claim'].iloc[0]} does not apply to this network: {missing['why'].iloc[0]}")
    found = decisive(rows)
    return found.assign(twin=checkpoint.stem)[[name for name in COLUMNS if name in {*found.columns, "twin"}]]


def in_place(lab: dict[str, Any], checkpoint: Path, architecture: str, claims: Sequence[str]) -> dict[str, Any]:
    """What is said over the scale ``lab``: the first of its trained models of ``architecture`` has the weights of
    ``checkpoint``, the others (training seeds) take part in nothing."""
    alike = [name for name, model in lab["models"].items() if _trained(model, architecture)]
    if not alike:
        known = dict.fromkeys(model["architecture"] for model in lab["models"].values())
        raise InputError(f"the lab has no architecture {architecture!r}; did you mean {nearest(architecture, known)}?")
    models: dict[str, Any] = {alike[0]: {"weights": str(checkpoint.resolve())}}
    models |= {name: {"experiments": []} for name in alike[1:]}
    scale = "on_" + "".join(letter if letter.isalnum() else "_" for letter in checkpoint.stem.lower())
    return {"scale": scale, "models": models, "claims": list(claims)}


def _trained(model: dict[str, Any], architecture: str) -> bool:
    return model["architecture"] == architecture and model.get("weights") != "random"
