# Do the claims' instruments work? Twins, which have a claim's property or lack it by construction, as any model.
TWINS = ["late_all", "late_cls", "early_cls", "gradual"]
TWIN_WEIGHTS = ROOT / "src/vitexplore/planted/weights"
TRIED = [claim for claim in CLAIMS.values() if claim and claim.twins]


rule instrument:
    input:
        expand("{folder}/{twin}.safetensors", folder=TWIN_WEIGHTS, twin=TWINS),
        [claim.folder / "claim.yaml" for claim in TRIED],
    output:
        table="results/instrument/instrument.csv",
        figure="results/instrument/instrument.png",
    log:
        "results/instrument/logs/instrument.log",
    benchmark:
        "results/instrument/benchmarks/instrument.tsv"
    conda:
        "../../environment.yml"
    threads: os.cpu_count()
    params:
        analyses=ROOT / "analyses",
        code=[code("planted.figure"), *map(claim_instruments.instrument_code, TRIED)],
    shell:
        "python -m vitexplore --log {log:q} job instrument --analyses {params.analyses:q} --threads {threads}"
        " --out {output.table:q} --figure {output.figure:q}"


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
