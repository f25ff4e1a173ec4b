"""The files of all claims of a scale together."""

from vitexplore.claims.decide import not_run
from vitexplore.claims.page import FRAGMENT, PAGE, claims_fragment, claims_page
from vitexplore.claims.render import claims_table, to_markdown
from vitexplore.claims.run import REHEARSED, RUN, run_record
from vitexplore.claims.tested import tested
from vitexplore.claims.text import Claim, claims_in_order
from vitexplore.graph import Graph
from vitexplore.io import write_atomically, write_json, write_text


def write_claims(graph: Graph) -> None:
    """Join the claims' decisions to ``claims.csv`` and ``claims.md``; those that the scale does not test come last.
    ``claims.html`` shows them with what lies behind; its first table alone is for the report, and ``run.json`` says
    what they rest on."""
    claims = claims_in_order(graph.root / "analyses")
    run = tested(graph, claims)
    others = [not_run(name, why_not(claim, graph.scale.scale)) for name, claim in claims.items() if name not in run]
    table = claims_table([graph.out / "claims" / f"{name}.json" for name in run], others)
    csv = graph.out / "claims.csv"
    write_atomically(csv, lambda path: table.to_csv(path, index=False, float_format="%.6g"))
    first = f"**{REHEARSED}**\n\n" if graph.scale.rehearsal else ""
    write_text(graph.out / "claims.md", first + to_markdown(table, claims))
    read = {path for name in run for of in claims[name].tables for path in graph.tables(of)}
    write_json(graph.out / RUN, run_record(graph.scale.scale, sorted(read), graph.root, graph.scale.rehearsal))
    write_text(graph.out / PAGE, claims_page(graph.out, graph.root, atlas=bool(graph.models("responses"))))
    write_text(graph.out / FRAGMENT, claims_fragment(graph.out, graph.root))


def why_not(claim: Claim | None, scale: str) -> str:
    """Why a claim that ``scale`` does not test is left out: what its claim.yaml says of that scale, if anything."""
    reasons = claim.text.get("left_out", {}) if claim else {}
    return reasons.get(scale, "not at this scale")
