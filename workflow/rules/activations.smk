# the first pass over one part of the data; kept, so that a run that was stopped goes on with the parts that it has
rule collect_shard:
    input:
        images=DATA,
        weights=lambda w: weights_of(w.model),
    output:
        f"{OUT}/activations/shards/{{model}}_{{shard}}.npz",
    log:
        f"{OUT}/logs/collect_{{model}}_{{shard}}.log",
    benchmark:
        f"{OUT}/benchmarks/collect_{{model}}_{{shard}}.tsv"
    wildcard_constraints:
        shard=r"\d+",
    conda:
        "../../environment.yml"
    threads: config["threads"]
    resources:
        gpu=config["gpu"],
    params:
        data=subpath(input.images, parent=True),
        spec=lambda w: spec(w.model),
        images=budget("collect", "images"),
        k=budget("collect", "k"),
        shards=budget("collect", "shards"),
        sites=lambda w: collected(w.model),
        how=config["preprocessing"]["others"],
        batch=config["batch"],
        workers=config["workers"],
        device=config["device"],
        code=code("commands.collect_shard"),
    shell:
        "python -m vitexplore --log {log} collect_shard --spec {params.spec:q} --device {params.device}"
        " --threads {threads} --data {params.data} --images {params.images} --k {params.k} --sites {params.sites}"
        " --preprocessing {params.how} --batch {params.batch} --workers {params.workers}"
        " --shard {wildcards.shard} --shards {params.shards} --out {output}"


# with one shard, both passes; else the second alone
rule collect:
    input:
        images=DATA,
        weights=lambda w: weights_of(w.model),
        shards=shards_of,
    output:
        top=f"{OUT}/activations/{{model}}_top.parquet",
        maps=f"{OUT}/activations/{{model}}_maps.npz",
        features=f"{OUT}/activations/{{model}}_features.parquet",
    log:
        f"{OUT}/logs/collect_{{model}}.log",
    benchmark:
        f"{OUT}/benchmarks/collect_{{model}}.tsv"
    conda:
        "../../environment.yml"
    threads: config["threads"]
    resources:
        gpu=config["gpu"],
    params:
        data=subpath(input.images, parent=True),
        spec=lambda w: spec(w.model),
        images=budget("collect", "images"),
        k=budget("collect", "k"),
        shards=lambda w, input: f"--shards {input.shards}" if input.shards else "",
        sites=lambda w: collected(w.model),
        how=config["preprocessing"]["others"],
        batch=config["batch"],
        workers=config["workers"],
        device=config["device"],
        code=code("commands.collect"),
    shell:
        "python -m vitexplore --log {log} collect --spec {params.spec:q} --device {params.device}"
        " --threads {threads} --data {params.data} --images {params.images} --k {params.k} --sites {params.sites}"
        " --preprocessing {params.how} --batch {params.batch} --workers {params.workers}"
        " {params.shards} --out {output.top} --maps {output.maps} --features {output.features}"


rule top_images_figure:
    input:
        images=DATA,
        top=rules.collect.output.top,
        maps=rules.collect.output.maps,
    output:
        report(f"{OUT}/figures/top_images_{{model}}.png", category="Features", caption="../report/top_images.rst"),
    log:
        f"{OUT}/logs/top_images_{{model}}.log",
    benchmark:
        f"{OUT}/benchmarks/top_images_{{model}}.tsv"
    conda:
        "../../environment.yml"
    params:
        data=subpath(input.images, parent=True),
        code=code("commands.top_images_figure"),
    shell:
        "python -m vitexplore --log {log} top_images_figure --data {params.data} --top {input.top} --maps {input.maps} --figure {output}"


rule embed:
    input:
        images=DATA,
        weights=lambda w: weights_of(w.model),
    output:
        f"{OUT}/activations/{{model}}_embeddings.parquet",
    log:
        f"{OUT}/logs/embed_{{model}}.log",
    benchmark:
        f"{OUT}/benchmarks/embed_{{model}}.tsv"
    conda:
        "../../environment.yml"
    threads: config["threads"]
    resources:
        gpu=config["gpu"],
    params:
        data=subpath(input.images, parent=True),
        spec=lambda w: spec(w.model),
        images=budget("collect", "images"),
        how=config["preprocessing"]["others"],
        batch=config["batch"],
        workers=config["workers"],
        device=config["device"],
        code=code("commands.embed"),
    shell:
        "python -m vitexplore --log {log} embed --spec {params.spec:q} --device {params.device} --threads {threads}"
        " --data {params.data} --images {params.images} --preprocessing {params.how} --batch {params.batch}"
        " --workers {params.workers} --out {output}"
