"""This project's own recipes, one feature at a time, as the others draw."""

from collections.abc import Callable
from hashlib import sha256
from importlib import metadata

from torch import Tensor, nn

from vitexplore.code_hash import code_hash
from vitexplore.tools.peers.way import Wanted
from vitexplore.visualize.fold import faster
from vitexplore.visualize.objective import Channels
from vitexplore.visualize.optimize import visualize
from vitexplore.visualize.recipes import PAPER, RECIPES, RELEASED, recipe_for

OWN = tuple(name for name in RECIPES if name not in (PAPER.name, RELEASED.name))


def version(recipe: str) -> Callable[[], str]:
    """The package's, and a hash of the recipe and of the code that draws."""

    def found() -> str:
        state = f"{RECIPES[recipe]} {code_hash('visualize.optimize')}"
        return f"{metadata.version('vitexplore')}+{sha256(state.encode()).hexdigest()[:8]}"

    return found


def network(wanted: Wanted) -> nn.Module:
    """What runs in the place of the model: a CNN's twin with folded normalisations."""
    return faster(wanted.model).trunk


def drawer(recipe: str) -> Callable[..., Tensor]:
    """``draw`` of a way: float [3, side, side] in [0, 1] at the model's input size; ``steps``: not the recipe's."""

    def draw(wanted: Wanted, **steps: int) -> Tensor:
        objective = Channels(wanted.site, (wanted.channel,))
        return visualize(wanted.model, objective, recipe_for(recipe, wanted.model.spec, **steps), batch=1).images[0]

    return draw
