# What is measured about the suite itself; not part of `all`.
rule bench:
    input:
        "results/bench/visualize.csv",
        "results/bench/collect.csv",
        "results/bench/token_mixing.csv",


rule bench_visualize:
    input:
        multiext(f"{WEIGHTS}/lab_vit_s0", ".safetensors", ".json"),
    output:
        table="results/bench/visualize.csv",
        bars="results/bench/visualize_bars.csv",
    log:
        "results/bench/logs/visualize.log",
    benchmark:
        "results/bench/benchmarks/visualize.tsv"
    conda:
        "../../environment.yml"
    threads: workflow.cores
    params:
        device=config["device"],
        code=code("commands.bench_visualize"),
    shell:
        "python -m vitexplore --log {log} bench_visualize --device {params.device} --threads {threads}"
        " --out {output.table} --bars {output.bars}"


rule bench_collect:
    input:
        multiext(f"{WEIGHTS}/lab_vit_s0", ".safetensors", ".json"),
    output:
        table="results/bench/collect.csv",
        bars="results/bench/collect_bars.csv",
    log:
        "results/bench/logs/collect.log",
    benchmark:
        "results/bench/benchmarks/collect.tsv"
    conda:
        "../../environment.yml"
    threads: workflow.cores
    params:
        device=config["device"],
        code=code("commands.bench_collect"),
    shell:
        "python -m vitexplore --log {log} bench_collect --device {params.device} --threads {threads}"
        " --out {output.table} --bars {output.bars}"


rule bench_token_mixing:
    output:
        table="results/bench/token_mixing.csv",
        bars="results/bench/token_mixing_bars.csv",
    log:
        "results/bench/logs/token_mixing.log",
    benchmark:
        "results/bench/benchmarks/token_mixing.tsv"
    conda:
        "../../environment.yml"
    threads: workflow.cores
    params:
        device=config["device"],
        code=code("commands.bench_token_mixing"),
    shell:
        "python -m vitexplore --log {log} bench_token_mixing --device {params.device} --threads {threads}"
        " --out {output.table} --bars {output.bars}"


rule budget:
    input:
        "results/bench/budget.csv",


rule visualization_budget:
    input:
        multiext(f"{WEIGHTS}/lab_vit_s0", ".safetensors", ".json"),
    output:
        "results/bench/budget.csv",
    log:
        "results/bench/logs/budget.log",
    benchmark:
        "results/bench/benchmarks/budget.tsv"
    conda:
        "../../environment.yml"
    threads: workflow.cores
    params:
        spec=json.dumps({"name": "vit", "source": "lab", "architecture": "lab_vit", "family": "vit"}),
        code=code("commands.budget"),
    shell:
        "python -m vitexplore --log {log} budget --spec {params.spec:q} --device cpu --threads {threads} --out {output}"
