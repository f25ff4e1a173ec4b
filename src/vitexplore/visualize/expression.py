"""Objectives as text, for the shell and for notebooks: ``ffn:6:0:16`` is channels 0 to 15 of the FFN of block 6."""

import re

from vitexplore.errors import InputError
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site, channels, sites
from vitexplore.selection import integers
from vitexplore.visualize.objective import Channels, Logits, Objective, classes

EXAMPLES = "ffn:6:0:16, ffn:6:3,17, ffn::0:4 (all blocks), channel:13:4@37 (position 37) or logit:207"
_TERM = re.compile(r"(?P<kind>[a-z_]+):(?P<rest>[\d,:]*)(@(?P<position>\d+))?")


def objectives(model: Model, text: str) -> dict[str, Objective]:
    """The objectives that ``text`` asks for, each by a name that a file may have, such as ffn_6.

    A term is ``kind:blocks:channels`` or ``logit:classes``. Numbers are written as ``integers`` reads them, blocks
    without a range; no block means all. ``@37`` after a term reads position 37 of the grid, row-major, not the mean
    over all. Raises InputError for what is not understood and for what the model lacks."""
    found = _term(model, text.strip())
    for objective in found.values():
        objective.bind(model)  # says what is wrong before anything is written
    return found


def _term(model: Model, text: str) -> dict[str, Objective]:
    match = _TERM.fullmatch(text)
    if not match:
        raise InputError(f"objective {text!r} is not understood; write {EXAMPLES}")
    kind, rest, position = match["kind"], match["rest"], match["position"]
    if kind == "logit":
        if position:
            raise InputError(f"objective {text!r}: class logits have no positions")
        return {"logit": Logits(integers(rest, classes(model), f"classes of {text!r}:"))}
    blocks, colon, features = rest.partition(":")
    if not colon:
        raise InputError(f"objective {text!r} names no channels; write {EXAMPLES}")
    available = sites(model)
    if kind not in available:
        raise InputError(f"{model.spec.name} has no site {kind!r}; it has {', '.join(available)}")
    suffix = f"_at_{position}" if position else ""
    found = {}
    for block in integers(blocks or ":", available[kind], f"blocks of {text!r}:"):
        site = Site(kind, block)
        labels = integers(features, channels(model, site), f"channels of {text!r}:")
        found[f"{kind}_{block}{suffix}"] = Channels(site, labels, int(position) if position else None)
    return found
