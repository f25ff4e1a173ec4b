"""An entry for the leaderboard, made from tables in which claims are true or false by construction."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from claim_tables import background_table, pooling_table, token_table
from project import ROOT

from vitexplore.claims.entry import Subject, entry_of
from vitexplore.claims.text import Claim, claims_in_order
from vitexplore.claims.write import write_decision

CLAIMS: dict[str, Claim] = claims_in_order(ROOT / "analyses")
SHA256 = "0123456789abcdef" * 4
TABLES = {
    "isolated_cls": token_table((0.9, 0.5, 0.3, 0.1, 0.06), 0.5, 0.5, 0.06),
    "learned_pooling": pooling_table((0.2, 0.3, 0.3, 0.9), (0.2, 0.3, 0.45, 0.4)),
    "background": background_table((0.98, 0.9, 0.4), (0.98, 0.7, 0.2)).query("family == 'vit'"),
}
WHY = "is about something else"


def made_entry(folder: Path, architecture: str = "timm/vit_tiny", names: Sequence[str] = tuple(TABLES)) -> Any:
    """Of a ViT: learned_pooling is true of it, isolated_cls is not, and in background it stands alone."""
    about = {"architecture": architecture, "input_size": 384, "photographs": True, "classes": 1000}
    for name in names:
        write_decision(CLAIMS[name], [TABLES[name].assign(**about)], folder)
    subject = Subject("timm/vit_tiny", "vit", architecture, "vit", "", SHA256)
    model = {"model": "vit", "architecture": architecture, "input_size": 384, "family": "vit", "random_weights": False}
    run = {"scale": "assess_vit", "measured": ["2026-11-27 12:00"] * 2, "code": "vitexplore 0.1.0"}
    run |= {"device": ["cpu"], "dtype": ["float32"], "libraries": ["torch 2"]}
    run |= {"models": [model | {"weights": SHA256[:16], "training_seed": 0}]}
    data = {"kind": "photos", "images": 400, "sha256": SHA256[::-1]}
    entry = entry_of([CLAIMS[name] for name in names], folder, {"low_pass": WHY}, [subject], data, run)
    return json.loads(json.dumps(entry, allow_nan=False))
