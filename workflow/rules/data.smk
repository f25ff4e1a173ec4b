if PHOTOS:

    rule index:
        output:
            images=DATA,
            broken=f"{OUT}/tables/broken_images.csv",
        log:
            f"{OUT}/logs/index.log",
        benchmark:
            f"{OUT}/benchmarks/index.tsv"
        conda:
            "../../environment.yml"
        threads: workflow.cores
        params:
            photos=config["images"],
            boxes=f"--boxes {BOXES}" if BOXES else "",
            out=subpath(output.images, parent=True),
            code=code("commands.index"),
        shell:
            "python -m vitexplore --log {log} index --photos {params.photos:q} {params.boxes} --workers {threads}"
            " --out {params.out} --broken {output.broken}"

else:

    rule scenes:
        output:
            images=DATA,
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
