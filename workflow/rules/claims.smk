# From tables to verdicts: one rule a claim (analyses/), then the table of all.
for _claim in TESTED:

    rule:
        name:
            f"claim_{_claim}"
        input:
            tables=[path for table in CLAIMS[_claim].tables for path in GRAPH.tables(table)],
            # what the paper says, prints and its weights; the code beside it is known by its meaning, below
            yaml=ROOT / f"analyses/{_claim}/claim.yaml",
            printed=sorted((ROOT / f"analyses/{_claim}").glob("*.csv")),
            whose=ROOT / "src/vitexplore/models/catalogue.csv",
            schema=ROOT / "workflow/schemas/claim.schema.yaml",
        output:
            rows=f"{OUT}/claims/{_claim}.json",
            numbers=f"{OUT}/claims/{_claim}_numbers.json",
            table=f"{OUT}/tables/claim_{_claim}.csv",
            images=[GRAPH.by_image(_claim)] if "images" in CLAIMS[_claim].text else [],
            caption=f"{OUT}/claims/{_claim}.rst",
            figures=[GRAPH.figure(figure) for figure in CLAIMS[_claim].figures],
            previews=report(
                [GRAPH.preview(figure) for figure in CLAIMS[_claim].figures],
                category="Claims",
                caption="../report/claim.rst",
            ),
        log:
            f"{OUT}/logs/claim_{_claim}.log",
        benchmark:
            f"{OUT}/benchmarks/claim_{_claim}.tsv"
        conda:
            "../../environment.yml"
        params:
            scale=scale_file,
            claim=_claim,
            code=[code("claims.write"), *map(code, sorted((ROOT / f"analyses/{_claim}").glob("*.py")))],
            instrument=claim_instruments.instruments(CLAIMS[_claim], ROOT / claim_instruments.KEPT),
        shell:
            "python -m vitexplore --log {log:q} job claim {params.claim} --scale {params.scale:q}"


rule claims:
    input:
        [f"{OUT}/claims/{claim}.json" for claim in TESTED],
        # asked for by name, or a run that is older than they are would go without them
        previews=[GRAPH.preview(figure) for claim in TESTED for figure in CLAIMS[claim].figures],
        paper=f"{OUT}/figures/paper.csv",
        # read for where the numbers come from
        tables=[path for claim in TESTED for table in CLAIMS[claim].tables for path in GRAPH.tables(table)],
        templates=sorted((ROOT / "src/vitexplore/claims/templates").iterdir()),
        twins=[kept for kept in [ROOT / claim_instruments.KEPT] if kept.exists()],
    output:
        csv=f"{OUT}/claims.csv",
        markdown=f"{OUT}/claims.md",
        page=f"{OUT}/claims.html",
        summary=f"{OUT}/claims/table.html",
        run=f"{OUT}/run.json",
    log:
        f"{OUT}/logs/claims.log",
    benchmark:
        f"{OUT}/benchmarks/claims.tsv"
    conda:
        "../../environment.yml"
    params:
        scale=scale_file,
        claims=list(CLAIMS),
        tested=TESTED,
        code=code("claims.join"),
    shell:
        "python -m vitexplore --log {log:q} job claims --scale {params.scale:q}"


rule check:
    input:
        f"{OUT}/claims.csv",
    log:
        f"{OUT}/logs/check.log",
    benchmark:
        f"{OUT}/benchmarks/check.tsv"
    conda:
        "../../environment.yml"
    params:
        analyses=ROOT / "analyses",
        scale=GRAPH.scale.scale,
    shell:
        "python -m vitexplore --log {log:q} check {input:q} --analyses {params.analyses:q} --scale {params.scale}"
