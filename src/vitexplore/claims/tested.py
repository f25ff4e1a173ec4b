"""Which claims a scale tests."""

from collections.abc import Mapping

from vitexplore.claims.text import Claim
from vitexplore.errors import InputError, nearest
from vitexplore.graph import Graph


def tested(graph: Graph, claims: Mapping[str, Claim | None]) -> list[str]:
    """Those of ``claims``, in their order, that the scale names and of whose table it makes some part. Raises
    InputError for a claim of the scale that is none of them, and for a table that its experiment does not make."""
    known = [name for name, claim in claims.items() if claim]
    for number, name in enumerate(graph.scale.claims):
        if name not in known:
            wrong = f"claims.{number}: {name!r} is not one of analyses/*"
            raise InputError(f"{wrong}; did you mean {nearest(name, known)}?")
        claim = claims[name]
        for table in claim.tables:
            if (maker := graph.source(table)) != claim.experiment:
                raise InputError(f"{claim.folder}: the table {table!r} is made by {maker}, not {claim.experiment}")
    return [name for name in known if name in graph.scale.claims and graph.tables(claims[name].tables[0])]
