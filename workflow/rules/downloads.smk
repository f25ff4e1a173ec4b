# All that comes from the network: public files and published weights, in two folders that a machine without network can
# be given.
rule prefetch:
    input:
        [GRAPH.downloaded(name) for name in DOWNLOADS],
        [GRAPH.published(name) for name, model in GRAPH.scale.models.items() if model.published],


rule download:
    output:
        # kept while the job runs: it has the sums of what was downloaded first
        update(f"{GRAPH.scale.store}/{{download}}.json"),
    log:
        "results/downloads/logs/{download}.log",
    benchmark:
        "results/downloads/benchmarks/{download}.tsv"
    wildcard_constraints:
        download="|".join(DOWNLOADS) or "none",
    conda:
        "../../environment.yml"
    params:
        scale=scale_file,
        entry=lambda w: DOWNLOADS[w.download].model_dump(include={"url", "bytes", "sha256"}),
    shell:
        "python -m vitexplore --log {log:q} job download {wildcards.download} --scale {params.scale:q}"


rule prefetch_model:
    output:
        weights=f"{GRAPH.scale.weights}/{{published}}.safetensors",
        record=f"{GRAPH.scale.weights}/{{published}}.json",
    log:
        "results/weights/logs/{published}.log",
    benchmark:
        "results/weights/benchmarks/{published}.tsv"
    wildcard_constraints:
        published="(timm|open_clip|torchvision)_.+",
    retries: 3
    conda:
        "../../environment.yml"
    params:
        scale=scale_file,
    shell:
        "python -m vitexplore --log {log:q} job prefetch {wildcards.published:q} --scale {params.scale:q}"
