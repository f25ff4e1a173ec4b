# Do the claims' instruments work? Twins, which have a claim's property or lack it by construction, as any model.
TWINS = ["late_all", "late_cls", "early_cls", "gradual", "early_all", "global_early", "gathers_twice"]
TWIN_WEIGHTS = ROOT / "src/vitexplore/planted/weights"
TRIED = [claim for claim in CLAIMS.values() if claim and claim.twins]


rule instrument:
    input:
        [f"results/instrument/{claim.name}.csv" for claim in TRIED],
    output:
        table="results/instrument/instrument.csv",
        figure="results/instrument/instrument.png",
    log:
        "results/instrument/logs/instrument.log",
    benchmark:
        "results/instrument/benchmarks/instrument.tsv"
    conda:
        "../../environment.yml"
    params:
        analyses=ROOT / "analyses",
        code=code("planted.figure"),
    shell:
        "python -m vitexplore --log {log:q} job instruments {input:q} --analyses {params.analyses:q}"
        " --out {output.table:q} --figure {output.figure:q}"


rule instrument_claim:
    input:
        expand("{folder}/{twin}.safetensors", folder=TWIN_WEIGHTS, twin=TWINS),
        lambda w: ROOT / f"analyses/{w.claim}/claim.yaml",
    output:
        "results/instrument/{claim}.csv",
    log:
        "results/instrument/logs/{claim}.log",
    benchmark:
        "results/instrument/benchmarks/{claim}.tsv"
    wildcard_constraints:
        claim="|".join(claim.name for claim in TRIED),
    conda:
        "../../environment.yml"
    params:
        analyses=ROOT / "analyses",
        code=lambda w: claim_instruments.instrument_code(CLAIMS[w.claim]),
    shell:
        "python -m vitexplore --log {log:q} job instrument {wildcards.claim} --analyses {params.analyses:q}"
        " --threads {threads} --out {output:q}"


# twins ship with the package, as the lab's models do
rule train_twins:
    input:
        expand("results/twins/{twin}.json", twin=TWINS),


rule train_twin:
    input:
        multiext(f"{WEIGHTS}/lab_vit_s0", ".safetensors", ".json"),
    output:
        "results/twins/{twin}.safetensors",
        "results/twins/{twin}.json",
    log:
        "results/twins/logs/{twin}.log",
    benchmark:
        "results/twins/benchmarks/{twin}.tsv"
    wildcard_constraints:
        twin="|".join(TWINS),
    conda:
        "../../environment.yml"
    threads: os.cpu_count()
    params:
        out=subpath(output[0], parent=True),
        code=code("planted.train"),
    shell:
        "python -m vitexplore --log {log:q} job twin {wildcards.twin} --workers {threads} --out {params.out:q}"
