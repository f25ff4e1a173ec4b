// From a claim to what decides it.
"use strict";

atlas.claims = {
  async panel(state) {
    const { h } = atlas;
    const claim = atlas.catalog.claims.find(({ name }) => name === state.of);
    if (!claim) {
      return h("section", { class: "empty" }, h("h2", {}, "Claims"), h("p", {}, "What the paper says, and the features and images that decide whether it is seen here."), h("ul", { class: "claims" }, atlas.catalog.claims.map((each) => this.item(each))));
    }
    const label = atlas.catalog.scores.find(({ name }) => name === claim.sort)?.label ?? claim.sort;
    const blocks = atlas.search.blocks({ in: "all" }).filter((block) => block.claims.includes(claim.name));
    const parts = await Promise.all(blocks.map((block) => this.block(claim, block)));
    const figures = claim.figures.map((path) => h("figure", {}, h("a", { href: path }, h("img", { class: "figure", src: path, alt: `Figure of the claim: ${claim.title}` }))));
    return h(
      "section",
      { class: "empty" },
      h("p", {}, h("a", { href: atlas.address.with({ view: "claims", of: "" }) }, "All claims")),
      h("h2", {}, claim.title),
      h("p", {}, `The paper (${claim.where}): ${claim.says}.`),
      h("p", {}, "Here: ", h("strong", {}, claim.word), ". ", h("a", { href: claim.page }, "Its statements, with intervals"), " · ", h("a", { href: claim.table }, "table")),
      h("h3", {}, "Features that decide it"),
      parts.length > 0 && h("p", { class: "soft" }, `Of each block those with the most ${label} come first.`),
      parts.length ? parts : h("p", { class: "soft" }, "It is decided by whole images and blocks, not by single features."),
      claim.images && this.images(claim.images),
      h("h3", {}, "Figures"),
      figures,
    );
  },

  /** The deciding features of a block: those that score most. */
  async block(claim, at) {
    const { h } = atlas;
    const list = await atlas.listOf(at);
    const mine = list.claims[claim.name];
    const every = mine === "all" ? list.best.map((_, feature) => feature) : mine;
    const count = every.length;
    const score = (feature) => list.scores[claim.sort]?.[feature] ?? -Infinity;
    const first = [...every].sort((a, b) => (score(b) === score(a) ? a - b : score(b) - score(a))).slice(0, 8);
    const all = atlas.address.with({ ...atlas.list.NO_FILTERS, view: "features", model: at.model, site: at.site, block: at.block, feature: first[0], claim: claim.name, sort: claim.sort });
    return h(
      "div",
      {},
      h("h4", {}, h("a", { href: all }, `${at.model} ${at.site}, block ${at.block}: ${count} feature${count === 1 ? "" : "s"}`)),
      h("div", { class: "grid" }, first.map((feature) => atlas.pictures.link({ model: at.model, site: at.site, block: at.block, feature, list }, list.scores[claim.sort] ? `${feature} · ${atlas.number(list.scores[claim.sort][feature])}` : String(feature)))),
    );
  },

  /** The images that speak most and least for a claim. */
  images({ most, least, says }) {
    const { h, number } = atlas;
    const ends = Object.entries({ most, least }).map(([end, found]) => {
      const figures = found.map(([image, value], rank) => atlas.pictures.image(image, `Image ${rank + 1} of those that speak ${end} for it`, null, number(value)));
      return h("section", {}, h("h3", {}, `Images that speak ${end} for it`), h("div", { class: "images small" }, figures));
    });
    return [h("div", { class: "halves" }, ends), h("p", { class: "soft" }, `The number of an image: ${says}.`)];
  },

  /** The claims among whose images that speak most or least for them an image is, as a list. */
  ofImage(image) {
    return atlas.catalog.claims.flatMap((claim) => {
      const { most, least, says } = claim.images ?? { most: [], least: [] };
      const found = [...most, ...least].find(([each]) => each === image);
      return found ? [this.item(claim, ` · ${atlas.number(found[1])}: ${says}`)] : [];
    });
  },

  /** A claim in a list, with its word and the two ways on; `more` after these. */
  item(claim, more = "") {
    const { h } = atlas;
    const here = atlas.address.with({ view: "claims", of: claim.name, model: "" });
    return h("li", {}, h("a", { href: here }, claim.title), ": ", h("strong", {}, claim.word), " · ", h("a", { href: claim.page, "aria-label": `Statements of: ${claim.title}` }, "statements"), more);
  },
};
