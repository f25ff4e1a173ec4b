# Training is a target of its own: weights ship with the package and are plain inputs of everything else.
RECIPES = ("lab_vit", "lab_cnn", "lab_clip", "lab_clip_shuffled")


rule train:
    input:
        expand("results/train/{recipe}/{recipe}_s0.json", recipe=RECIPES),


rule train_model:
    output:
        "results/train/{recipe}/{recipe}_s0.safetensors",
        "results/train/{recipe}/{recipe}_s0.csv",
        "results/train/{recipe}/{recipe}_s0.json",
    log:
        "results/train/logs/{recipe}.log",
    benchmark:
        "results/train/benchmarks/{recipe}.tsv"
    conda:
        "../../environment.yml"
    threads: workflow.cores
    params:
        out=subpath(output[0], parent=True),
        code=code("commands.train"),
    shell:
        "python -m vitexplore --log {log} train --recipe {wildcards.recipe} --workers {threads} --out {params.out}"


rule promote:
    input:
        rules.train.input,
    log:
        "results/train/logs/promote.log",
    benchmark:
        "results/train/benchmarks/promote.tsv"
    conda:
        "../../environment.yml"
    params:
        folders=lambda w, input: [str(Path(record).parent) for record in input],
    shell:
        "python -m vitexplore --log {log} promote {params.folders}"


rule training_curves:
    input:
        expand("{weights}/{recipe}_s0.csv", weights=WEIGHTS, recipe=RECIPES),
    output:
        figure=report(f"{OUT}/figures/training.png", category="Data", caption="../report/training.rst"),
        table=f"{OUT}/tables/training.csv",
    log:
        f"{OUT}/logs/training_curves.log",
    benchmark:
        f"{OUT}/benchmarks/training_curves.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("commands.curves"),
    shell:
        "python -m vitexplore --log {log} curves {input} --out {output.table} --figure {output.figure}"
