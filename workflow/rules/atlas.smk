# The atlas: pages on which a person walks through a run's features.
if ATLAS:

    rule atlas:
        input:
            tables=atlas_tables.inputs(GRAPH),
            claims=f"{OUT}/claims.csv",
            images=[GRAPH.by_image(claim) for claim in TESTED if "images" in CLAIMS[claim].text],
            static=sorted((ROOT / "src/vitexplore/atlas/static").iterdir()),
        output:
            directory(ATLAS[0]),
        log:
            f"{OUT}/logs/atlas.log",
        benchmark:
            f"{OUT}/benchmarks/atlas.tsv"
        conda:
            "../../environment.yml"
        params:
            scale=scale_file,
            code=[code(of) for of in ("atlas.write", "figures.captions", "figures.tables", "figures.overlays")],
        shell:
            "python -m vitexplore --log {log:q} job atlas --scale {params.scale:q}"
