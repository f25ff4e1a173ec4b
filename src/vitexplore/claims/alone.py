"""What one model reaches by itself in a claim that compares families: its term of the difference, which no margin
judges.

Such a claim has, beside its ``analysis.py``, an ``alone.py`` with ``own_terms(analysis, mine) -> {statement:
Statistic}``: ``analysis`` is that module, ``mine`` the rows of one trained model in the claim's first table.
"""

import importlib.util
from pathlib import Path
from types import ModuleType

import pandas as pd

from vitexplore.claims.text import Claim
from vitexplore.statistics.intervals import Estimate


def compares_families(claim: Claim) -> bool:
    """Whether the claim sets models of one family against those of another."""
    return _path(claim).exists()


def own_terms(claim: Claim, table: pd.DataFrame) -> dict[str, dict[str, Estimate]]:
    """By trained model of ``table`` and by statement of ``claim``, the model's own term; empty for a claim that
    compares no families."""
    if not compares_families(claim):
        return {}
    analysis, alone = _module(claim.folder / "analysis.py"), _module(_path(claim))
    trained = table[~table["random_weights"]]
    return {
        str(model): {name: term.estimate() for name, term in alone.own_terms(analysis, mine).items()}
        for model, mine in trained.groupby("model", sort=False)
    }


def _path(claim: Claim) -> Path:
    return claim.folder / "alone.py"


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{path.stem}_{path.parent.name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
