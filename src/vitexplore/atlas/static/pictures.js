// Pictures: images of the data under a feature's map, visualizations, and their sheets.
"use strict";

atlas.pictures = {
  /** Lay tile (column, row) of a sheet of columns x rows over the whole of an element. */
  tile: (url, column, row, columns, rows) => ({
    "background-image": `url("${url}")`,
    "background-size": `${columns * 100}% ${rows * 100}%`,
    "background-position": `${columns > 1 ? (column / (columns - 1)) * 100 : 0}% ${rows > 1 ? (row / (rows - 1)) * 100 : 0}%`,
  }),

  /** A feature's map: of its best images (`kind` maps) or of the images that all features are shown (views). */
  map(at, kind, column) {
    const { shard } = atlas.catalog;
    const block = atlas.block(at);
    const model = atlas.model(at.model);
    const first = Math.floor(at.feature / shard) * shard;
    const columns = kind === "maps" ? block.top : model.views.length;
    const url = `${kind}/${at.model}/${atlas.key(at)}_${first / shard}.webp`;
    const style = this.tile(url, column, at.feature - first, columns, Math.min(shard, block.features - first));
    return atlas.h("span", { class: "map", style: { ...style, inset: `${50 * (1 - model.crop)}%` } });
  },

  /** An image of the data, maybe under a map. `says` starts its alternative text. */
  image(image, says, map = null, caption = "") {
    const picture = atlas.h("img", { src: `images/${image}.webp`, alt: says, loading: "lazy", width: 192, height: 192 });
    const link = atlas.h(
      "a",
      { class: "picture", href: atlas.address.write({ ...atlas.state, view: "images", of: image, at: "" }) },
      picture,
      map,
    );
    const figure = atlas.h("figure", {}, link, caption && atlas.h("figcaption", {}, caption));
    atlas.told(image).then((text) => {
      picture.alt = `${says}: ${text}`;
      link.title = text;
    });
    return figure;
  },

  /** Of a feature's visualizations the one that a state asks for: of its recipe, else of the first, its seed, else the first. */
  chosen(pictures, { recipe, seed }) {
    const variant = pictures.some((each) => each.variant === recipe) ? recipe : pictures[0].variant;
    const seeds = pictures.filter((each) => each.variant === variant);
    return seeds.find((each) => String(each.seed) === seed) ?? seeds[0];
  },

  /** Visualization number `number` of a block and variant. */
  drawn(at, variant, number, says) {
    const { shard, across } = atlas.catalog;
    const sheet = Math.floor(number / shard);
    const count = Math.min(shard, atlas.block(at).drawn[variant] - sheet * shard);
    const place = number % shard;
    const url = `pictures/${at.model}/${atlas.key(at)}_${variant}_${sheet}.webp`;
    const style = this.tile(url, place % across, Math.floor(place / across), across, Math.ceil(count / across));
    return atlas.h("span", { class: "drawn", role: "img", "aria-label": says, style });
  },

  /** What stands for a feature in a list: its visualization, or else its best image under its map. `entry`: with
   * `list`, the columns of its block. */
  face(entry) {
    const drawn = entry.list.drawn[entry.feature];
    const says = atlas.named(entry);
    if (drawn) return this.drawn(entry, drawn[0], drawn[1], `Visualization of ${says}`);
    const best = entry.list.best[entry.feature];
    return atlas.h(
      "span",
      { class: "picture" },
      atlas.h("img", { src: `images/${best}.webp`, alt: `Best image of ${says}`, loading: "lazy", width: 192, height: 192 }),
      this.map(entry, "maps", 0),
    );
  },

  /** A link to a feature, with its face and a line below. */
  link(entry, line, current = false) {
    const href = atlas.address.ofFeature(entry);
    return atlas.h("a", { class: "feature", href, "aria-current": current && "true" }, this.face(entry), atlas.h("span", { class: "line" }, line));
  },
};
