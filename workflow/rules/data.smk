if PHOTOS:

    rule index:
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
            source="data|validation",
        conda:
            "../../environment.yml"
        threads: workflow.cores
        params:
            folders=lambda w: folders(w.source),
            state=lambda w: folder_state(w.source),
            out=subpath(output.images, parent=True),
            code=code("commands.index"),
        shell:
            "python -m vitexplore --log {log.run} index {params.folders} --workers {threads}"
            " --out {params.out} --broken {log.broken}"

else:

    rule scenes:
        output:
            images=DATA,
            classes=f"{OUT}/data/classes.txt",
            pixels=f"{OUT}/data/pixels.npz",
            provenance=f"{OUT}/data/provenance.json",
        log:
            f"{OUT}/logs/scenes.log",
        benchmark:
            f"{OUT}/benchmarks/scenes.tsv"
        conda:
            "../../environment.yml"
        threads: workflow.cores
        params:
            drawn_from=config["data"]["split"],
            images=config["data"]["count"],
            out=subpath(output.images, parent=True),
            code=code("commands.scenes"),
        shell:
            "python -m vitexplore --log {log} scenes --split {params.drawn_from} --count {params.images}"
            " --workers {threads} --out {params.out}"


rule contact_sheet:
    input:
        images=DATA,
    output:
        report(f"{OUT}/figures/{DATA_FIGURE}.png", category="Data", caption=f"../report/{DATA_FIGURE}.rst"),
    log:
        f"{OUT}/logs/contact_sheet.log",
    benchmark:
        f"{OUT}/benchmarks/contact_sheet.tsv"
    conda:
        "../../environment.yml"
    params:
        data=subpath(input.images, parent=True),
        code=code("commands.contact_sheet"),
    shell:
        "python -m vitexplore --log {log} contact_sheet --data {params.data} --figure {output}"
