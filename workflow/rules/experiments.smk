# one experiment on one model and those that stand beside it
rule experiment:
    input:
        images=lambda w: images_of(w.experiment),
        weights=lambda w: [path for name in members(w.experiment, w.model) for path in weights_of(name)],
    output:
        f"{OUT}/{{experiment}}/{{model}}.parquet",
    log:
        f"{OUT}/logs/{{experiment}}_{{model}}.log",
    benchmark:
        f"{OUT}/benchmarks/{{experiment}}_{{model}}.tsv"
    wildcard_constraints:
        experiment="locality|localization|token_mixing|background|low_pass",
    conda:
        "../../environment.yml"
    threads: config["threads"]
    resources:
        gpu=config["gpu"],
    params:
        data=subpath(input.images, parent=True),
        spec=lambda w: [spec(name) for name in members(w.experiment, w.model)],
        images=lambda w: budget(w.experiment, "images"),
        options=options,
        how=lambda w: config["preprocessing"]["background" if w.experiment == "background" else "others"],
        batch=config["batch"],
        workers=config["workers"],
        device=config["device"],
        code=lambda w: code(f"commands.{w.experiment}"),
    shell:
        "python -m vitexplore --log {log} {wildcards.experiment} --spec {params.spec:q} --device {params.device}"
        " --threads {threads} --data {params.data} --images {params.images} {params.options}"
        " --preprocessing {params.how} --batch {params.batch} --workers {params.workers}"
        " --out {output}"


rule accuracy_table:
    input:
        lambda w: tables_of(w.experiment),
    output:
        f"{OUT}/tables/{{experiment}}.csv",
    log:
        f"{OUT}/logs/accuracy_table_{{experiment}}.log",
    benchmark:
        f"{OUT}/benchmarks/accuracy_table_{{experiment}}.tsv"
    wildcard_constraints:
        experiment="background|low_pass",
    conda:
        "../../environment.yml"
    params:
        code=code("commands.accuracy_table"),
    shell:
        "python -m vitexplore --log {log} accuracy_table {input} --out {output}"
