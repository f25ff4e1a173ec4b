// What data scripts hold, loaded when it is wanted: a page that is opened from disk may load scripts, but no JSON.
"use strict";

const atlas = { held: new Map(), loading: new Map() };

/** Called by data scripts. */
atlas.add = (name, value) => atlas.held.set(name, value);

/** The value that the script `name`.js registers, loaded once. */
atlas.load = (name) => {
  if (!atlas.loading.has(name)) {
    atlas.loading.set(
      name,
      new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = `${name}.js`;
        script.onload = () => resolve(atlas.held.get(name));
        script.onerror = () => reject(new Error(`${name}.js is missing: copy the atlas's whole folder`));
        document.head.append(script);
      }),
    );
  }
  return atlas.loading.get(name);
};

/** Which feature an entry or a state is of. */
atlas.at = ({ model, site, block, feature }) => ({ model, site, block, feature });

/** By name: the catalog's entry of a model. */
atlas.model = (name) => atlas.catalog.models.find((model) => model.name === name);

/** Blocks of a model at a site, as the catalog lists them. */
atlas.blocksOf = (model, site) => atlas.model(model).blocks.filter((each) => each.site === site);

atlas.sitesOf = (model) => [...new Set(atlas.model(model).blocks.map((each) => each.site))];

/** The catalog's entry of a block, undefined where there is none. */
atlas.block = (at) => atlas.model(at.model)?.blocks.find((each) => each.site === at.site && each.block === at.block);

atlas.key = (at) => `${at.site}_${at.block}`;

/** What the page of a feature shows. */
atlas.record = async (at) => {
  const shard = Math.floor(at.feature / atlas.catalog.shard);
  const records = await atlas.load(`features/${at.model}/${atlas.key(at)}_${shard}`);
  return records[at.feature % atlas.catalog.shard];
};

/** A feature's scores, those that it has: name, label, what it says, value. */
atlas.scored = (list, feature) =>
  atlas.catalog.scores.map((score) => ({ ...score, value: list.scores[score.name]?.[feature] ?? null })).filter(({ value }) => value !== null);

/** Columns of all features of a block. */
atlas.listOf = (at) => atlas.load(`lists/${at.model}/${atlas.key(at)}`);

/** What is said of an image: class and caption, or its name. */
atlas.told = async (image) => {
  const part = await atlas.load(`images/${Math.floor(image / atlas.catalog.images)}`);
  return part[image];
};
