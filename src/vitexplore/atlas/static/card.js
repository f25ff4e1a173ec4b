// One feature: its visualization, its images, its numbers, its neighbours, the claims that it decides.
"use strict";

atlas.card = {
  async panel(state) {
    const { h } = atlas;
    const at = atlas.at(state);
    const [record, list] = await Promise.all([atlas.record(at), atlas.listOf(at)]);
    return h(
      "article",
      { class: "card", "aria-labelledby": "card-title" },
      this.head(at),
      this.summary(at, record, list),
      h("div", { class: "halves" }, this.drawing(at, record, state), this.top(at, record, state)),
      this.spread(record),
      h("div", { class: "halves" }, this.histogram(record), this.information(record, list, at)),
      this.near(at, record),
      h("div", { class: "halves" }, this.numbers(record, list, at), this.claims(list, at)),
    );
  },

  head(at) {
    const { h } = atlas;
    const pinned = atlas.address.pins().some((pin) => atlas.list.same(pin, at));
    const step = (by, label, text) => h("button", { type: "button", "aria-label": label, title: label, onclick: () => atlas.step(by) }, text);
    const deeper = (by, label, text) => h("button", { type: "button", "aria-label": label, title: label, onclick: () => atlas.deeper(by) }, text);
    const { architecture } = atlas.model(at.model);
    return h(
      "header",
      {},
      h("div", {}, h("h2", { id: "card-title" }, `${at.model} · ${at.site} · block ${at.block} · feature ${at.feature}`), h("p", { class: "soft" }, architecture)),
      h(
        "div",
        { class: "tools" },
        step(-1, "Feature before (left arrow)", "←"),
        step(1, "Next feature (right arrow)", "→"),
        deeper(-1, "Block before (up arrow)", "↑"),
        deeper(1, "Next block (down arrow)", "↓"),
        h("button", { type: "button", id: "pin", "aria-pressed": String(pinned), onclick: () => atlas.togglePin(at) }, pinned ? "Pinned" : "Pin"),
      ),
    );
  },

  /** In words: what tables say that it responds to. */
  summary(at, record, list) {
    const { h, number } = atlas;
    const text = (name) => list.texts[name]?.[at.feature];
    const score = (name) => list.scores[name]?.[at.feature];
    const chip = (word, value) => h("a", { class: "chip", href: atlas.address.with({ q: word, in: "" }) }, word, value !== undefined && h("span", {}, ` ${number(value)}`));
    const rows = [
      record.words && ["words", record.words.map(([word, value]) => chip(word, value)), "by a CLIP, with their soft-WPMI"],
      text("explained") && ["explained by", [chip(text("explained")), " ", chip(text("value"))], `${number(score("bits"))} bits; ${Math.round(100 * score("purity"))}% of its top images`],
      text("concepts") && ["found for", text("concepts").split(", ").map((concept) => chip(concept)), `AUROC ${number(score("concept"))} on other images`],
      text("seen") && ["its images share", text("seen").split(", ").map((word) => chip(word)), ""],
    ].filter(Boolean);
    if (list.dead.includes(at.feature)) rows.push(["dead", "all its visualizations, or all images, leave it silent", ""]);
    return h("dl", { class: "summary" }, rows.map(([name, chips, what]) => h("div", {}, h("dt", {}, name), h("dd", {}, chips, what && h("span", { class: "soft" }, ` ${what}`)))));
  },

  /** The visualization, and the recipes and seeds to choose from. */
  drawing(at, record, state) {
    const { h } = atlas;
    if (!record.pictures) return h("section", { class: "drawing" }, h("h3", {}, "Visualization"), h("p", { class: "soft" }, "This feature was not visualized: its images stand for it. ", h("a", { href: atlas.address.with({ drawn: "only" }) }, "Show those that were"), "."));
    const chosen = atlas.pictures.chosen(record.pictures, state);
    const choice = (label, options) =>
      h(
        "div",
        { class: "tools", role: "group", "aria-label": label },
        options.map(([text, pressed, changes]) => h("button", { type: "button", "aria-pressed": String(pressed), onclick: () => atlas.address.go(changes, true) }, text)),
      );
    const recipes = [...new Set(record.pictures.map((each) => each.variant))];
    const seeds = record.pictures.filter((each) => each.variant === chosen.variant).map((each) => each.seed);
    const says = `Visualization of ${atlas.named(at)} by recipe ${chosen.variant}, seed ${chosen.seed}`;
    return h(
      "section",
      { class: "drawing" },
      h("h3", {}, "Visualization"),
      h("div", { class: chosen.dead ? "silent" : "" }, atlas.pictures.drawn(at, chosen.variant, chosen.at, says)),
      choice("Recipe", recipes.map((recipe) => [recipe, recipe === chosen.variant, { recipe, seed: "" }])),
      seeds.length > 1 && choice("Seed", seeds.map((seed) => [`seed ${seed}`, seed === chosen.seed, { recipe: chosen.variant, seed: String(seed) }])),
      chosen.dead && h("p", { class: "soft" }, "Dead: the optimizer did not reach this feature."),
      h("table", {}, h("tbody", {}, Object.entries(chosen.scores).map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name.replaceAll("_", " ")), h("td", {}, atlas.number(value)))))),
      chosen.recipe && h("details", {}, h("summary", {}, "Recipe"), h("code", {}, chosen.recipe)),
    );
  },

  /** The images that activate it most, under its map. */
  top(at, record, state) {
    const { h, number } = atlas;
    const [images, scores] = record.top;
    const figures = images.map((image, rank) =>
      atlas.pictures.image(image, `Image ${rank + 1} of the best`, atlas.pictures.map(at, "maps", rank), number(scores[rank])),
    );
    return h(
      "section",
      { class: "top" },
      h("h3", {}, "Images that activate it most"),
      h(
        "div",
        { class: "tools" },
        h("label", {}, "map ", h("input", { type: "range", id: "opacity", min: 0, max: 100, value: state.map, oninput: (event) => atlas.opacity(event.target.value), onchange: (event) => atlas.address.go({ map: event.target.value }, true) })),
        h("button", { type: "button", id: "bare", "aria-pressed": String(state.map === "0"), onclick: () => atlas.bare() }, "Bare images"),
      ),
      h("div", { class: "images" }, figures),
      h("p", { class: "soft" }, `Best first; the number is the mean of its map. Full pink: ${number(record.most)} or more. Point at an image to see the map alone.`),
    );
  },

  /** Images from the strong to the weak. */
  spread(record) {
    const { h, number } = atlas;
    if (!record.quantiles) return null;
    const at = record.quantiles.map(([quantile, image, value]) => atlas.pictures.image(image, `Image at the ${100 * quantile}th percentile`, null, `${100 * quantile}%: ${number(value)}`));
    const lowest = record.lowest[0].map((image, rank) => atlas.pictures.image(image, `Image ${rank + 1} of the lowest`, null, number(record.lowest[1][rank])));
    return h(
      "div",
      { class: "halves" },
      h("section", {}, h("h3", {}, "From strong to weak"), h("div", { class: "images small" }, at), h("p", { class: "soft" }, "At percentiles of its activation.")),
      h("section", {}, h("h3", {}, "Lowest"), h("div", { class: "images small" }, lowest)),
    );
  },

  histogram(record) {
    const { h, svg, number } = atlas;
    if (!record.histogram) return null;
    const [low, high, counts] = record.histogram;
    const [width, height] = [360, 90];
    const most = Math.max(...counts);
    const all = counts.reduce((sum, count) => sum + count, 0);
    const step = width / counts.length;
    const bars = counts.map((count, bin) => svg("rect", { x: bin * step, width: step - 1, y: height - (height * count) / most, height: (height * count) / most }));
    const x = (value) => (width * (value - low)) / (high - low || 1);
    const density = this.smooth(counts).map((value, bin) => `${(bin + 0.5) * step},${height - (height * value) / most}`).join(" ");
    const inside = x(0) > 0.12 * width && x(0) < 0.88 * width; // else the numbers at the ends lie where its own would
    const zero = low < 0 && high > 0 && svg("line", { class: "zero", x1: x(0), x2: x(0), y1: 0, y2: height });
    const says = `Histogram of its activation over ${all} images, from ${number(low)} to ${number(high)}, mean ${number(record.mean)}`;
    return h(
      "section",
      {},
      h("h3", {}, "Activation over images"),
      svg("svg", { viewBox: `0 0 ${width} ${height + 16}`, role: "img", "aria-label": says, class: "histogram" }, ...bars, svg("polyline", { class: "density", points: density }), ...(zero ? [zero] : []), this.label(0, height, "start", number(low)), ...(zero && inside ? [this.label(x(0), height, "middle", "0")] : []), this.label(width, height, "end", number(high))),
      h("p", { class: "soft" }, `${all} images; mean ${number(record.mean)}, standard deviation ${number(record.deviation)}. Line: density.`),
    );
  },

  /** Counts under a narrow Gaussian. */
  smooth(counts) {
    const weights = [0.06, 0.24, 0.4, 0.24, 0.06];
    return counts.map((_, bin) => weights.reduce((sum, weight, place) => sum + weight * (counts[bin + place - 2] ?? 0), 0));
  },

  label: (x, y, anchor, text) => atlas.svg("text", { x, y: y + 13, "text-anchor": anchor }, text),

  /** Bits on each factor. */
  information(record, list, at) {
    const { h, number } = atlas;
    if (!record.information) return null;
    const pairs = Object.entries(record.information).sort((a, b) => b[1] - a[1]);
    const most = Math.max(...pairs.map(([, bits]) => bits), 0.01);
    const explains = list.texts.explained?.[at.feature];
    const rows = pairs.map(([name, bits]) =>
      h("tr", { class: name === explains ? "explains" : "" }, h("th", { scope: "row" }, name), h("td", { class: "bar" }, h("span", { style: { width: `${Math.max(0, (100 * bits) / most)}%` } })), h("td", {}, number(bits))),
    );
    return h("section", {}, h("h3", {}, "What it tells, in bits"), h("table", { class: "information" }, h("tbody", {}, rows)));
  },

  /** Features that do alike over the same images, here and in the other models. */
  near(at, record) {
    const { h } = atlas;
    const models = Object.entries(record.near ?? {}).filter(([, found]) => found.length);
    if (!models.length) return null;
    const rows = models.map(([model, found]) => {
      const row = h("div", { class: "grid" });
      const entries = found.map(async ([site, block, feature, r]) => {
        const other = { model, site, block, feature };
        return atlas.pictures.link({ ...other, list: await atlas.listOf(other) }, `${block}.${feature} · r ${r.toFixed(2)}`);
      });
      Promise.all(entries).then((links) => row.append(...links));
      return h("div", {}, h("h4", {}, `in ${model}`), row);
    });
    return h("section", { class: "near" }, h("h3", {}, "Nearest features"), h("p", { class: "soft" }, "By the correlation r of their activations over the same images."), h("div", { class: "halves" }, rows));
  },

  numbers(record, list, at) {
    const { h, number } = atlas;
    const rows = atlas
      .scored(list, at.feature)
      .map(({ name, label, says, value }) => h("tr", {}, h("th", { scope: "row" }, h("a", { href: atlas.address.with({ sort: name, order: "" }) }, label)), h("td", {}, number(value)), h("td", { class: "soft" }, says)));
    return h("section", {}, h("h3", {}, "Numbers"), h("table", {}, h("tbody", {}, rows)));
  },

  claims(list, at) {
    const { h } = atlas;
    const mine = atlas.catalog.claims.filter(({ name }) => list.claims[name] === "all" || list.claims[name]?.includes(at.feature));
    return h("section", {}, h("h3", {}, "Claims that rest on it"), mine.length ? h("ul", { class: "claims" }, mine.map((claim) => atlas.claims.item(claim))) : h("p", { class: "soft" }, "None."));
  },
};
