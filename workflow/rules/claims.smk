for _claim in TESTED:

    rule:
        name:
            f"claim_{_claim}"
        input:
            tables=tables_of(CLAIMS[_claim][0]),
            yaml=f"analyses/{_claim}/claim.yaml",
            analysis=f"analyses/{_claim}/analysis.py",
            printed=sorted(f"analyses/{_claim}/{path.name}" for path in BASE.glob(f"analyses/{_claim}/*.csv")),
            whose="src/vitexplore/models/catalogue.csv",  # says which weights are the paper's
            schema="workflow/schemas/claim.schema.yaml",
        output:
            rows=f"{OUT}/claims/{_claim}.json",
            table=f"{OUT}/tables/claim_{_claim}.csv",
            caption=f"{OUT}/claims/{_claim}.rst",
            figures=report(
                expand(f"{OUT}/figures/{{figure}}.png", figure=CLAIMS[_claim][1]),
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
            folder=subpath(input.yaml, parent=True),
            scale=config["scale"],
            code=[code("commands.claim"), code(BASE / f"analyses/{_claim}/analysis.py")],
        shell:
            "python -m vitexplore --log {log} claim {params.folder} --schema {input.schema} --scale {params.scale}"
            " --tables {input.tables} --out {output.rows} --table {output.table} --caption {output.caption}"
            " --figures {output.figures}"


rule claims:
    input:
        [f"{OUT}/claims/{claim}.json" for claim in TESTED],
    output:
        csv=report(f"{OUT}/claims.csv", category="Claims", caption="../report/claims.rst"),
        markdown=f"{OUT}/claims.md",
    log:
        f"{OUT}/logs/claims.log",
    benchmark:
        f"{OUT}/benchmarks/claims.tsv"
    conda:
        "../../environment.yml"
    params:
        not_tested=[claim for claim in CLAIMS if claim not in TESTED],
        code=code("commands.claims"),
    shell:
        "python -m vitexplore --log {log} claims {input} --not-tested {params.not_tested}"
        " --csv {output.csv} --markdown {output.markdown}"


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
        scale=config["scale"],
    shell:
        "python -m vitexplore --log {log} check {input} --analyses analyses"
        " --schema workflow/schemas/claim.schema.yaml --scale {params.scale}"
