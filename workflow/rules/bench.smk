# What is measured about the suite itself; not part of `all`.
BENCHES = ["visualize", "collect", "token_mixing", "claims"]


rule bench:
    input:
        expand("results/bench/{bench}.csv", bench=BENCHES),


rule bench_one:
    input:
        multiext(f"{WEIGHTS}/lab_vit_s0", ".safetensors", ".json"),
    output:
        table="results/bench/{bench}.csv",
        bars="results/bench/{bench}_bars.csv",
    log:
        "results/bench/logs/{bench}.log",
    benchmark:
        "results/bench/benchmarks/{bench}.tsv"
    wildcard_constraints:
        bench="|".join(BENCHES),
    conda:
        "../../environment.yml"
    threads: os.cpu_count()
    params:
        code=lambda w: code(f"tools.bench_{w.bench}"),
    shell:
        "python -m vitexplore --log {log:q} job bench {wildcards.bench} --threads {threads}"
        " --out {output.table:q} --bars {output.bars:q}"


if GRAPH.scale.photos:

    rule bench_alive:
        input:
            GRAPH.image_index("collect"),
            [path for name in GRAPH.scale.models for path in GRAPH.weights(name)],
        output:
            table="results/bench/alive.csv",
            bars="results/bench/alive_bars.csv",
        log:
            "results/bench/logs/alive.log",
        benchmark:
            "results/bench/benchmarks/alive.tsv"
        conda:
            "../../environment.yml"
        threads: os.cpu_count()
        params:
            scale=scale_file,
            code=code("tools.bench_alive"),
        shell:
            "python -m vitexplore --log {log:q} job alive --scale {params.scale:q} --threads {threads}"
            " --out {output.table:q} --bars {output.bars:q}"

    rule bench_peers:
        input:
            GRAPH.image_index("collect"),
            [path for name in GRAPH.scale.models for path in GRAPH.weights(name)],
        output:
            table="results/bench/peers.csv",
            bars="results/bench/peers_bars.csv",
            sheet="results/bench/peers.png",
        log:
            "results/bench/logs/peers.log",
        benchmark:
            "results/bench/benchmarks/peers.tsv"
        conda:
            "../../environment.yml"
        threads: 2
        params:
            scale=scale_file,
            code=code("tools.bench_peers"),
        shell:
            "python -m vitexplore --log {log:q} job peers --scale {params.scale:q} --threads {threads}"
            " --out {output.table:q} --bars {output.bars:q} --sheet {output.sheet:q}"


rule budget:
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
    threads: os.cpu_count()
    params:
        code=code("tools.budget"),
    shell:
        "python -m vitexplore --log {log:q} job budget --threads {threads} --out {output:q}"


rule calibration:
    output:
        "results/calibration.csv",
    log:
        "results/bench/logs/calibration.log",
    benchmark:
        "results/bench/benchmarks/calibration.tsv"
    conda:
        "../../environment.yml"
    threads: os.cpu_count()
    params:
        code=code("statistics.calibration"),
    shell:
        "python -m vitexplore --log {log:q} job calibration --workers {threads} --out {output:q}"
