if PHOTOS:

    rule index:
        output:
            images=DATA,
            broken=f"{OUT}/tables/broken_images.csv",
            figure=report(f"{OUT}/figures/photos.png", category="Data", caption="../report/photos.rst"),
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
            " --out {params.out} --broken {output.broken} --figure {output.figure}"

else:

    rule scenes:
        output:
            images=DATA,
            figure=report(f"{OUT}/figures/scenes.png", category="Data", caption="../report/scenes.rst"),
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
            " --workers {threads} --out {params.out} --figure {output.figure}"
