# What is measured about the suite itself; not part of `all`.
STAND_IN = ("images.parquet", "classes.txt", "provenance.json")  # a folder of listed photographs
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

    rule stand_ins:
        input:
            GRAPH.index_inputs("data"),
        output:
            [f"results/costs/{source}/{file}" for source in GRAPH.sources() for file in STAND_IN],
        log:
            "results/costs/logs/stand_ins.log",
        benchmark:
            "results/costs/benchmarks/stand_ins.tsv"
        conda:
            "../../environment.yml"
        threads: os.cpu_count()
        params:
            scale=scale_file,
            state=folder_state(GRAPH.indexed_paths("data")),
            code=code("tools.stand_ins"),
        shell:
            "python -m vitexplore --log {log:q} job stand-ins --scale {params.scale:q} --workers {threads}"

    # of one experiment on one model; it takes all cores, so that nothing runs beside it
    rule cost:
        input:
            rules.stand_ins.output,
        output:
            "results/costs/rows/{experiment}/{model}.csv",
        log:
            "results/costs/logs/{experiment}_{model}.log",
        benchmark:
            "results/costs/benchmarks/{experiment}_{model}.tsv"
        wildcard_constraints:
            experiment="|".join(GRAPH.experiments),
        conda:
            "../../environment.yml"
        threads: os.cpu_count()
        params:
            scale=scale_file,
            asked=lambda w: GRAPH.asked_of(w.experiment, w.model),
            code=lambda w: [code("tools.costs"), code(GRAPH.experiments[w.experiment].path)],
        shell:
            "python -m vitexplore --log {log:q} job cost {wildcards.experiment} {wildcards.model} --scale {params.scale:q}"
            " --out {output:q}"

    rule costs:
        input:
            [f"results/costs/rows/{name}/{model}.csv" for name in GRAPH.experiments for model in GRAPH.models(name)],
        output:
            "results/costs.csv",
        log:
            "results/costs/logs/costs.log",
        benchmark:
            "results/costs/benchmarks/costs.tsv"
        conda:
            "../../environment.yml"
        params:
            code=code("tools.costs"),
        shell:
            "python -m vitexplore --log {log:q} job costs {input:q} --out {output:q}"


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
