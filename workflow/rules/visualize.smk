rule visualize:
    input:
        weights=lambda w: weights_of(w.model),
        top=rules.collect.output.top,
        judge=judge_embeddings,
    output:
        table=f"{OUT}/visualizations/{{model}}_{{depth}}.parquet",
        losses=f"{OUT}/visualizations/{{model}}_{{depth}}_losses.parquet",
    log:
        f"{OUT}/logs/visualize_{{model}}_{{depth}}.log",
    benchmark:
        f"{OUT}/benchmarks/visualize_{{model}}_{{depth}}.tsv"
    conda:
        "../../environment.yml"
    threads: config["threads"]
    resources:
        gpu=config["gpu"],
    params:
        spec=lambda w: spec(w.model),
        judge=judge_options,
        features=budget("visualize", "features"),
        batch=budget("visualize", "batch"),
        recipe=json.dumps(budget("visualize", "recipe")),
        device=config["device"],
        code=code("commands.visualize"),
    shell:
        "python -m vitexplore --log {log} visualize --spec {params.spec:q} --device {params.device} --threads {threads}"
        " --depth {wildcards.depth} --features {params.features} --batch {params.batch}"
        " --recipe {params.recipe:q} --top {input.top} {params.judge}"
        " --out {output.table} --losses {output.losses}"


rule visualization_sheet:
    input:
        rules.visualize.output.table,
    output:
        report(
            f"{OUT}/figures/visualizations_{{model}}_{{depth}}.png",
            category="Features",
            caption="../report/visualizations.rst",
        ),
    log:
        f"{OUT}/logs/visualization_sheet_{{model}}_{{depth}}.log",
    benchmark:
        f"{OUT}/benchmarks/visualization_sheet_{{model}}_{{depth}}.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("commands.visualization_sheet"),
    shell:
        "python -m vitexplore --log {log} visualization_sheet {input} --figure {output}"
