# One rule an experiment (vitexplore/experiments): a job measures a model and those beside it.
for _experiment, _entry in GRAPH.experiments.items():

    rule:
        name:
            _experiment
        input:
            images=GRAPH.image_index(_experiment),
            read=lambda w, of=_experiment: GRAPH.inputs(of, w.group),
        output:
            GRAPH.outputs(_experiment),
        log:
            f"{OUT}/logs/{_experiment}_{{group}}.log",
        benchmark:
            f"{OUT}/benchmarks/{_experiment}_{{group}}.tsv"
        priority: GRAPH.priority(_experiment)
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            gpu=0,
            batch=100,
            workers=0,
        params:
            scale=scale_file,
            experiment=_experiment,
            asked=lambda w, of=_experiment: GRAPH.asked(of, w.group),
            code=code(_entry.path),
        shell:
            "python -m vitexplore --log {log:q} job experiment {params.experiment} {wildcards.group} --scale {params.scale:q}"
            " --threads {threads} --batch {resources.batch} --workers {resources.workers}"
