// Two to four features side by side, and the same image under all.
"use strict";

atlas.compare = {
  async panel(state) {
    const { h } = atlas;
    const pins = atlas.address.pins();
    if (pins.length < 2) {
      return h("section", { class: "empty" }, h("h2", {}, "Compare features"), h("p", {}, `Pin two to four features of any models with “Pin” or the key c; ${pins.length} pinned so far.`), pins.map((at) => this.unpin(at)), h("p", {}, h("a", { href: atlas.address.ofFeature(atlas.feature) }, "Back to the features")));
    }
    const views = atlas.model(pins[0].model).views;
    const image = views.includes(Number(state.image)) ? Number(state.image) : views[0];
    const columns = await Promise.all(pins.map((at) => this.column(at, image, state)));
    const choices = views.map((each) =>
      h("button", { type: "button", class: "picture", "aria-pressed": String(each === image), "aria-label": `Show image ${each} under all`, onclick: () => atlas.address.go({ image: String(each) }, true) }, h("img", { src: `images/${each}.webp`, alt: "", width: 192, height: 192 })),
    );
    return h(
      "section",
      { "aria-label": "Comparison" },
      h("h2", {}, "Side by side"),
      h("p", { class: "soft" }, "The same image under all:"),
      h("div", { class: "choices" }, choices),
      h("div", { class: "columns", style: { "--columns": pins.length } }, columns),
    );
  },

  unpin: (at) => atlas.h("button", { type: "button", class: "unpin", onclick: () => atlas.togglePin(at) }, `Unpin ${atlas.named(at)}`),

  async column(at, image, state) {
    const { h, number } = atlas;
    const [record, list] = await Promise.all([atlas.record(at), atlas.listOf(at)]);
    const model = atlas.model(at.model);
    const shown = model.views.indexOf(image);
    const chosen = record.pictures && atlas.pictures.chosen(record.pictures, state);
    const [images, scores] = record.top;
    const same = atlas.block(at).viewed && shown >= 0 ? atlas.pictures.image(image, "The chosen image", atlas.pictures.map(at, "views", shown)) : h("p", { class: "soft" }, "Not kept at this site.");
    const text = (name) => list.texts[name]?.[at.feature];
    return h(
      "article",
      { "aria-label": atlas.named(at) },
      h("h3", {}, h("a", { href: atlas.address.ofFeature(at) }, atlas.named(at))),
      this.unpin(at),
      h("h4", {}, "The chosen image"),
      same,
      h("h4", {}, "Best images"),
      h("div", { class: "images small" }, images.slice(0, 3).map((each, rank) => atlas.pictures.image(each, `Image ${rank + 1} of the best`, atlas.pictures.map(at, "maps", rank), number(scores[rank])))),
      h("h4", {}, "Visualization"),
      chosen ? atlas.pictures.drawn(at, chosen.variant, chosen.at, `Visualization of ${atlas.named(at)}`) : h("p", { class: "soft" }, "Not visualized."),
      h("dl", { class: "summary" }, [["words", record.words?.map(([word]) => word).join(", ")], ["explained by", [text("explained"), text("value")].filter(Boolean).join(": ")], ["found for", text("concepts")], ["its images share", text("seen")]].filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
      h("table", {}, h("tbody", {}, atlas.scored(list, at.feature).map(({ label, says, value }) => h("tr", { title: says }, h("th", { scope: "row" }, label), h("td", {}, number(value)))))),
    );
  },
};
