# what features mean: every feature of a model and those that stand beside it
rule concepts:
    input:
        images=DATA,
        weights=lambda w: [path for name in members("concepts", w.model) for path in weights_of(name)],
        judge=lambda w: weights_of(budget("concepts", "judge")),
    output:
        concepts=f"{OUT}/concepts/{{model}}.parquet",
        features=f"{OUT}/features/{{model}}.parquet",
    log:
        f"{OUT}/logs/concepts_{{model}}.log",
    benchmark:
        f"{OUT}/benchmarks/concepts_{{model}}.tsv"
    conda:
        "../../environment.yml"
    threads: config["threads"]
    resources:
        gpu=config["gpu"],
    params:
        data=subpath(input.images, parent=True),
        spec=lambda w: [spec(name) for name in members("concepts", w.model)],
        images=lambda w: budget("concepts", "images"),
        words=lambda w: budget("concepts", "words"),
        judge=lambda w: spec(budget("concepts", "judge")),
        how=config["preprocessing"]["others"],
        batch=config["batch"],
        workers=config["workers"],
        device=config["device"],
        code=code("commands.concepts"),
    shell:
        "python -m vitexplore --log {log} concepts --spec {params.spec:q} --device {params.device} --threads {threads}"
        " --data {params.data} --images {params.images} --preprocessing {params.how} --batch {params.batch}"
        " --workers {params.workers} --judge {params.judge:q} --words {params.words}"
        " --out {output.concepts} --features {output.features}"


rule concept_features:
    input:
        images=DATA,
        weights=lambda w: weights_of(w.model),
        concepts=lambda w: table_of("concepts", w.model),
        features=lambda w: table_of("features", w.model),
        top=rules.collect.output.top,
    output:
        table=f"{OUT}/tables/depth_{{model}}.csv",
        depth=report(f"{OUT}/figures/depth_{{model}}.png", category="Features", caption="../report/depth.rst"),
        language=report(f"{OUT}/figures/concepts_{{model}}.png", category="Features", caption="../report/concepts.rst"),
    log:
        f"{OUT}/logs/concept_features_{{model}}.log",
    benchmark:
        f"{OUT}/benchmarks/concept_features_{{model}}.tsv"
    conda:
        "../../environment.yml"
    threads: config["threads"]
    resources:
        gpu=config["gpu"],
    params:
        data=subpath(input.images, parent=True),
        spec=lambda w: spec(w.model),
        recipe=lambda w: json.dumps(budget("concepts", "recipe")),
        device=config["device"],
        code=code("commands.concept_features"),
    shell:
        "python -m vitexplore --log {log} concept_features --spec {params.spec:q} --device {params.device}"
        " --threads {threads} --data {params.data} --concepts {input.concepts} --features {input.features}"
        " --top {input.top} --recipe {params.recipe:q} --out {output.table} --depth {output.depth}"
        " --language {output.language}"


# all in one job: asking takes less than starting
rule zero_shot:
    input:
        images=DATA,
        weights=[path for name in lab_clips() for path in weights_of(name)],
    output:
        table=f"{OUT}/tables/zero_shot.csv",
        figure=report(f"{OUT}/figures/zero_shot.png", category="Training", caption="../report/zero_shot.rst"),
    log:
        f"{OUT}/logs/zero_shot.log",
    benchmark:
        f"{OUT}/benchmarks/zero_shot.tsv"
    conda:
        "../../environment.yml"
    threads: config["threads"]
    resources:
        gpu=config["gpu"],
    params:
        data=subpath(input.images, parent=True),
        spec=[spec(name) for name in lab_clips()],
        images=lambda w: budget("concepts", "images"),
        how=config["preprocessing"]["others"],
        batch=config["batch"],
        device=config["device"],
        code=code("commands.zero_shot"),
    shell:
        "python -m vitexplore --log {log} zero_shot --spec {params.spec:q} --device {params.device} --threads {threads}"
        " --data {params.data} --images {params.images} --preprocessing {params.how} --batch {params.batch}"
        " --out {output.table} --figure {output.figure}"
