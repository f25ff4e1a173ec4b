# one experiment on one model
rule experiment:
    input:
        images=lambda w: images_of(w.experiment),
        weights=lambda w: weights_of(w.model),
    output:
        f"{OUT}/{{experiment}}/{{model}}.parquet",
    log:
        f"{OUT}/logs/{{experiment}}_{{model}}.log",
    benchmark:
        f"{OUT}/benchmarks/{{experiment}}_{{model}}.tsv"
    wildcard_constraints:
        experiment="locality|localization|token_mixing|background",
    conda:
        "../../environment.yml"
    threads: config["threads"]
    resources:
        gpu=config["gpu"],
    params:
        data=subpath(input.images, parent=True),
        spec=lambda w: spec(w.model),
        images=lambda w: budget(w.experiment, "images"),
        options=options,
        how=lambda w: config["preprocessing"]["background" if w.experiment == "background" else "others"],
        batch=config["batch"],
        device=config["device"],
        code=lambda w: code(f"commands.{w.experiment}"),
    shell:
        "python -m vitexplore --log {log} {wildcards.experiment} --spec {params.spec:q} --device {params.device}"
        " --threads {threads} --data {params.data} --images {params.images} {params.options}"
        " --preprocessing {params.how} --batch {params.batch} --out {output}"


rule background_table:
    input:
        tables_of("background"),
    output:
        f"{OUT}/tables/background.csv",
    log:
        f"{OUT}/logs/background_table.log",
    benchmark:
        f"{OUT}/benchmarks/background_table.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("commands.background_table"),
    shell:
        "python -m vitexplore --log {log} background_table {input} --out {output}"
