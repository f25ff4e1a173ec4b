# The images that experiments are shown: scenes that are rendered, or photographs that are listed.
if GRAPH.scale.photos:

    rule index:
        input:
            lambda w: GRAPH.index_inputs(w.source),
        output:
            images=f"{OUT}/{{source}}/images.parquet",
            classes=f"{OUT}/{{source}}/classes.txt",
            provenance=f"{OUT}/{{source}}/provenance.json",
        log:
            run=f"{OUT}/logs/index_{{source}}.log",
            # no output: Snakemake would take the list away when too many broken pictures stop the run
            broken=f"{OUT}/tables/broken_images_{{source}}.csv",
        benchmark:
            f"{OUT}/benchmarks/index_{{source}}.tsv"
        wildcard_constraints:
            source="|".join(GRAPH.sources()),
        conda:
            "../../environment.yml"
        threads: os.cpu_count()
        params:
            scale=scale_file,
            asked=lambda w: GRAPH.index_arguments(w.source),
            state=lambda w: folder_state(GRAPH.indexed_paths(w.source)),
            code=code("data.index"),
        shell:
            "python -m vitexplore --log {log.run:q} job index {wildcards.source} --scale {params.scale:q}"
            " --workers {threads} --broken {log.broken:q}"

else:
    SPLITS = {GRAPH.scenes_folder(split).name: split for split in GRAPH.splits()}

    rule scenes:
        output:
            images=f"{OUT}/{{folder}}/images.parquet",
            classes=f"{OUT}/{{folder}}/classes.txt",
            pixels=f"{OUT}/{{folder}}/pixels.npz",
            provenance=f"{OUT}/{{folder}}/provenance.json",
        log:
            f"{OUT}/logs/scenes_{{folder}}.log",
        benchmark:
            f"{OUT}/benchmarks/scenes_{{folder}}.tsv"
        wildcard_constraints:
            folder="|".join(SPLITS),
        conda:
            "../../environment.yml"
        threads: os.cpu_count()
        params:
            scale=scale_file,
            split=lambda w: SPLITS[w.folder],
            number=GRAPH.scale.data.count,
            code=code("data.scene_sets"),
        shell:
            "python -m vitexplore --log {log:q} job scenes {params.split} --scale {params.scale:q} --workers {threads}"
