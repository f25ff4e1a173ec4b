# From tables to figures: one job draws all figures of a kind, for drawing takes less than starting.
rule contact_sheet:
    input:
        [folder / "images.parquet" for folder in GRAPH.data_figures()],
    output:
        list(GRAPH.data_figures().values()),
    log:
        f"{OUT}/logs/contact_sheet.log",
    benchmark:
        f"{OUT}/benchmarks/contact_sheet.tsv"
    conda:
        "../../environment.yml"
    params:
        scale=scale_file,
        figure="contact_sheet",
        code=code("figures.contact_sheet"),
    shell:
        "python -m vitexplore --log {log:q} job figure {params.figure} --scale {params.scale:q}"


if GRAPH.top_images_figures():

    use rule contact_sheet as top_images_figures with:
        input:
            GRAPH.image_index("collect"),
            GRAPH.tables("top"),
            GRAPH.tables("maps"),
        output:
            GRAPH.top_images_figures(),
        log:
            f"{OUT}/logs/top_images_figures.log",
        benchmark:
            f"{OUT}/benchmarks/top_images_figures.tsv"
        params:
            scale=scale_file,
            figure="top_images",
            code=code("figures.top_images"),


if GRAPH.sheet_figures():

    use rule contact_sheet as visualization_sheets with:
        input:
            GRAPH.tables("visualize"),
            [GRAPH.image_index("collect"), *GRAPH.tables("top"), *GRAPH.tables("maps")]
            if GRAPH.top_images_models()
            else [],
        output:
            GRAPH.sheet_figures(),
        log:
            f"{OUT}/logs/visualization_sheets.log",
        benchmark:
            f"{OUT}/benchmarks/visualization_sheets.tsv"
        params:
            scale=scale_file,
            figure="visualizations",
            code=code("figures.visualizations"),


if GRAPH.models("portraits"):

    use rule contact_sheet as portrait_figures with:
        input:
            GRAPH.image_index("collect"),
            GRAPH.tables("portraits"),
            GRAPH.tables("top"),
        output:
            GRAPH.portrait_figures("depth"),
            GRAPH.portrait_figures("concepts"),
            GRAPH.portrait_tables(),
        log:
            f"{OUT}/logs/portrait_figures.log",
        benchmark:
            f"{OUT}/benchmarks/portrait_figures.tsv"
        params:
            scale=scale_file,
            figure="portraits",
            code=code("figures.portraits"),


use rule contact_sheet as paper_data with:
    input:
        GRAPH.paper_inputs(),
        [GRAPH.summary(f"claim_{claim}") for claim in TESTED],
        ROOT / "analyses/head_on_patches/reference.csv",
        ROOT / "analyses/background/reference.csv",
    output:
        directory(GRAPH.paper_data),
    log:
        f"{OUT}/logs/paper_data.log",
    benchmark:
        f"{OUT}/benchmarks/paper_data.tsv"
    params:
        scale=scale_file,
        figure="paper.data",
        code=code("figures.paper.data"),


rule paper_figures:
    input:
        GRAPH.paper_data,
    output:
        report(
            directory(f"{OUT}/figures/paper"),
            patterns=["{name}.png"],
            category="Paper",
            caption="../report/paper.rst",
        ),
        index=f"{OUT}/figures/paper.csv",
    log:
        f"{OUT}/logs/paper_figures.log",
    benchmark:
        f"{OUT}/benchmarks/paper_figures.tsv"
    conda:
        "../../environment.yml"
    params:
        folder=lambda wildcards, output: Path(output.index).parents[1],
        code=code("figures.paper.draw"),
    shell:
        "python -m vitexplore --log {log:q} figures {params.folder:q}"


if GRAPH.zero_shot():

    use rule contact_sheet as zero_shot_figure with:
        input:
            GRAPH.tables("zero_shot"),
        output:
            GRAPH.zero_shot(),
        log:
            f"{OUT}/logs/zero_shot_figure.log",
        benchmark:
            f"{OUT}/benchmarks/zero_shot_figure.tsv"
        params:
            scale=scale_file,
            figure="zero_shot",
            code=code("figures.zero_shot"),


if GRAPH.training():

    use rule contact_sheet as training_figure with:
        input:
            GRAPH.training_curves(),
        output:
            GRAPH.training(),
        log:
            f"{OUT}/logs/training_figure.log",
        benchmark:
            f"{OUT}/benchmarks/training_figure.tsv"
        params:
            scale=scale_file,
            figure="training",
            code=code("figures.training"),


if GRAPH.accuracies():

    use rule contact_sheet as accuracy_tables with:
        input:
            [GRAPH.tables(path.stem) for path in GRAPH.accuracies()],
        output:
            GRAPH.accuracies(),
        log:
            f"{OUT}/logs/accuracy_tables.log",
        benchmark:
            f"{OUT}/benchmarks/accuracy_tables.tsv"
        params:
            scale=scale_file,
            figure="accuracy",
            code=code("figures.accuracy"),
