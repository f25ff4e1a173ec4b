# `visualizations`: all sites at three depths; `variants`: the appendix's families, ffn alone; `ablation`: a recipe's
# parts left out in turn. One rule: they differ in what the scale asks for.
rule visualize:
    input:
        images=DATA,
        weights=lambda w: weights_of(w.model),
        top=top_of,
        judge=judge_embeddings,
    output:
        table=f"{OUT}/{{purpose}}/{{model}}_{{depth}}.parquet",
        losses=f"{OUT}/{{purpose}}/{{model}}_{{depth}}_losses.parquet",
    log:
        f"{OUT}/logs/{{purpose}}_{{model}}_{{depth}}.log",
    benchmark:
        f"{OUT}/benchmarks/{{purpose}}_{{model}}_{{depth}}.tsv"
    priority: 1  # the longest jobs: started first, none is left alone at the end
    conda:
        "../../environment.yml"
    threads: config["threads"]
    resources:
        gpu=config["gpu"],
    params:
        data=subpath(input.images, parent=True),
        spec=lambda w: spec(w.model),
        top=top_options,
        judge=judge_options,
        what=visualize_options,
        how=config["preprocessing"]["others"],
        batch=config["batch"],
        workers=config["workers"],
        device=config["device"],
        code=code("commands.visualize_sites"),
    shell:
        "python -m vitexplore --log {log} visualize_sites --spec {params.spec:q} --device {params.device}"
        " --threads {threads} --data {params.data} --preprocessing {params.how} --batch {params.batch}"
        " --workers {params.workers} --depth {wildcards.depth} {params.what} {params.top} {params.judge}"
        " --out {output.table} --losses {output.losses}"


# all in one job: drawing takes less than starting
rule visualization_sheets:
    input:
        tables_of("visualize"),
    output:
        report(
            [f"{OUT}/figures/visualizations_{Path(table).stem}.png" for table in tables_of("visualize")],
            category="Features",
            caption="../report/visualizations.rst",
        ),
    log:
        f"{OUT}/logs/visualization_sheets.log",
    benchmark:
        f"{OUT}/benchmarks/visualization_sheets.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("commands.visualization_sheets"),
    shell:
        "python -m vitexplore --log {log} visualization_sheets {input} --figures {output}"


rule background_feature:
    input:
        images=DATA,
        weights=lambda w: weights_of(w.model),
        localization=lambda w: table_of("localization", w.model),
        top=rules.collect.output.top,
        maps=rules.collect.output.maps,
    output:
        table=f"{OUT}/tables/background_feature_{{model}}.csv",
        figure=report(
            f"{OUT}/figures/background_feature_{{model}}.png",
            category="Features",
            caption="../report/background_feature.rst",
        ),
    log:
        f"{OUT}/logs/background_feature_{{model}}.log",
    benchmark:
        f"{OUT}/benchmarks/background_feature_{{model}}.tsv"
    conda:
        "../../environment.yml"
    threads: config["threads"]
    resources:
        gpu=config["gpu"],
    params:
        data=subpath(input.images, parent=True),
        spec=lambda w: spec(w.model),
        recipe=json.dumps({"name": "ours"}),
        device=config["device"],
        code=code("commands.background_feature"),
    shell:
        "python -m vitexplore --log {log} background_feature --spec {params.spec:q} --device {params.device}"
        " --threads {threads} --data {params.data} --localization {input.localization} --top {input.top}"
        " --maps {input.maps} --recipe {params.recipe:q} --out {output.table} --figure {output.figure}"
