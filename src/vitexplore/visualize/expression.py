"""Objectives as text, for the shell and for notebooks: ``ffn:6:0:16`` is channels 0 to 15 of the FFN of block 6."""

import re
from functools import reduce
from operator import add

from torch import Tensor

from vitexplore.errors import InputError
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site, channels, sites
from vitexplore.selection import integers
from vitexplore.visualize.objective import Channels, Directions, Logits, Objective, classes

EXAMPLES = "ffn:6:0:16, ffn:6:3,17, ffn::0:4 (all blocks), channel:13:4@37 (position 37), logit:207 or a sum of these, "
EXAMPLES += "0.2*channel:13:4 + 0.8*channel:13:9 - logit:207"
_TERM = re.compile(r"(?P<kind>[a-z_]+):(?P<rest>[\d,:]*)(@(?P<position>\d+))?")
_WEIGHTED = re.compile(r"\s*(?P<sign>[+-]?)\s*(?:(?P<weight>\d+\.?\d*|\.\d+)\s*\*\s*)?(?P<term>[^\s+*-]+)\s*")


def objectives(model: Model, text: str, directions: Tensor | None = None) -> dict[str, Objective]:
    """The objectives that ``text`` asks for, each by a name that a file may have, such as ffn_6.

    A term is ``kind:blocks:channels`` or ``logit:classes``. Numbers are written as ``integers`` reads them, blocks
    without a range; no block means all. ``@37`` after a term reads position 37 of the grid, row-major, not the mean
    over all. A sum of terms with signs and factors is one objective; each of its terms is of one block. With
    ``directions`` [n, channels] the numbers pick among these, not among channels. Raises InputError for what is not
    understood and for what the model lacks."""
    terms = _weighted_terms(text)
    if [weight for weight, _ in terms] == [1]:
        found = _term(model, terms[0][1], directions)
    else:
        weighted = [weight * _one_block(model, term, directions) for weight, term in terms]
        found = {_file_name(terms): reduce(add, weighted)}
    for objective in found.values():
        objective.bind(model)  # says what is wrong before anything is written
    return found


def _weighted_terms(text: str) -> list[tuple[float, str]]:
    """The terms of a sum, each after its signed factor."""
    found, end = [], 0
    while end < len(text) or not found:
        match = _WEIGHTED.match(text, end)
        if not match or (found and not match["sign"]):
            raise InputError(f"objective {text!r} is not understood; write {EXAMPLES}")
        found.append((float(f"{match['sign']}{match['weight'] or 1}"), match["term"]))
        end = match.end()
    return found


def _file_name(terms: list[tuple[float, str]]) -> str:
    """Such as 0.2_channel_13_4_plus_0.8_channel_13_9_minus_logit_207."""
    words = []
    for weight, term in terms:
        words.append("minus" if weight < 0 else "plus")
        if abs(weight) != 1:
            words.append(f"{abs(weight):g}")
        words.append(term.replace(":", "_").replace(",", "-").replace("@", "_at_"))
    return "_".join(words).removeprefix("plus_")


def _one_block(model: Model, text: str, directions: Tensor | None) -> Objective:
    found = list(_term(model, text, directions).values())
    if len(found) > 1:
        raise InputError(f"objective {text!r} is of {len(found)} blocks; a term of a sum is of one block")
    return found[0]


def _term(model: Model, text: str, directions: Tensor | None) -> dict[str, Objective]:
    match = _TERM.fullmatch(text)
    if not match:
        raise InputError(f"objective {text!r} is not understood; write {EXAMPLES}")
    kind, rest, position = match["kind"], match["rest"], match["position"]
    if kind == "logit":
        if position or directions is not None:
            raise InputError(f"objective {text!r}: class logits have neither positions nor directions")
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
        count = channels(model, site) if directions is None else len(directions)
        labels = integers(features, count, f"channels of {text!r}:")
        at = int(position) if position else None
        found[f"{kind}_{block}{suffix}"] = (
            Channels(site, labels, at) if directions is None else Directions(site, labels, directions[list(labels)], at)
        )
    return found
