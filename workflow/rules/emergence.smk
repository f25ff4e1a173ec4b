# Does the paper's picture come with size and training? Lab ViTs of other shapes, trained once.
GROWN = [f"lab_vit_{size}_s0" for size in ("d4_75k", "75k", "d12_75k", "w32_75k", "w128_75k", "25k", "300k")]
KEPT_GROWN = ROOT / "results/reference/emergence"
GROWN_WEIGHTS = {  # where each lies that is kept; the others are trained
    name: KEPT_GROWN / name if (KEPT_GROWN / f"{name}.json").exists() else f"results/train/{name}/{name}"
    for name in GROWN
}
GROWN_WEIGHTS |= {f"lab_vit_s{seed}": f"{WEIGHTS}/lab_vit_s{seed}" for seed in (0, 1, 2)}  # the lab's own


rule emergence:
    input:
        expand("results/emergence/{grown}.csv", grown=GROWN_WEIGHTS),
    output:
        table="results/emergence/emergence.csv",
        figure="results/emergence/emergence.png",
    log:
        "results/emergence/logs/emergence.log",
    benchmark:
        "results/emergence/benchmarks/emergence.tsv"
    conda:
        "../../environment.yml"
    params:
        analyses=ROOT / "analyses",
        code=code("tools.emergence"),
    shell:
        "python -m vitexplore --log {log:q} job emerged {input:q} --analyses {params.analyses:q}"
        " --out {output.table:q} --figure {output.figure:q}"


rule emerge:
    input:
        weights=lambda w: f"{GROWN_WEIGHTS[w.grown]}.safetensors",
        record=lambda w: f"{GROWN_WEIGHTS[w.grown]}.json",
    output:
        "results/emergence/{grown}.csv",
    log:
        "results/emergence/logs/{grown}.log",
    benchmark:
        "results/emergence/benchmarks/{grown}.tsv"
    wildcard_constraints:
        grown="|".join(GROWN_WEIGHTS),
    conda:
        "../../environment.yml"
    params:
        analyses=ROOT / "analyses",
        code=code("tools.emergence"),
    shell:
        "python -m vitexplore --log {log:q} job emerge {input.weights:q} --analyses {params.analyses:q}"
        " --threads {threads} --out {output:q}"


# trained anew, into results/train: about two hours
rule grow:
    input:
        expand("results/train/{grown}/{grown}.json", grown=GROWN),
