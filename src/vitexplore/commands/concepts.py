"""Test every feature of every block for the concepts that the images show, and name it by a CLIP's words."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from vitexplore.activations.pooled import pooled
from vitexplore.commands.common import add_data, add_models, add_out, data_of, models_of, spec_of
from vitexplore.data.captions import factor_prompts
from vitexplore.data.images import ImageSet, spread
from vitexplore.data.loading import preprocessed
from vitexplore.data.words import common_words
from vitexplore.experiments.concepts import concept_scores
from vitexplore.experiments.dissect import labels, soft_wpmi
from vitexplore.experiments.factors import concepts_of, factors_of, has_factors
from vitexplore.experiments.information import information_table
from vitexplore.io import write_tables
from vitexplore.models.heads import text_embeddings
from vitexplore.models.registry import Model, embed, load, pick_device
from vitexplore.models.sites import Site, sites
from vitexplore.provenance import of_model


def configure(parser: argparse.ArgumentParser) -> None:
    add_models(parser)
    add_data(parser)
    parser.add_argument("--judge", required=True, help="a CLIP, as JSON, whose words name the features")
    parser.add_argument("--words", type=int, required=True, help="words for photographs; scenes have those of captions")
    add_out(parser, "Parquet: a row for each block, concept and fold (see concept_scores)")
    parser.add_argument("--features", type=Path, required=True, help="Parquet: a row a feature (see information_table)")


def run(args: argparse.Namespace) -> None:
    torch.set_num_threads(args.threads)
    images, data_hash = data_of(args)
    indices = spread(len(images), args.images)
    concepts, factors = concepts_of(images, indices), factors_of(images, indices)
    logits, words, whose = judged(args, images, indices)
    scores, features = [], []
    for model in models_of(args):
        acts = activations(model, images, indices, args)
        table = []
        for block, acts_nf in acts.items():
            named = labels(soft_wpmi(acts_nf, logits), words)
            table.append(information_table(block, acts_nf, factors).join(named))
        provenance = of_model(model, data_hash, args.preprocessing)
        scores.append((concept_scores(acts.items(), concepts), provenance))
        features.append((pd.concat(table, ignore_index=True), provenance | whose | {"images": len(indices)}))
    write_tables(args.features, features)
    write_tables(args.out, scores)


@torch.no_grad()
def judged(args: argparse.Namespace, images: ImageSet, indices: np.ndarray) -> tuple[np.ndarray, list, dict[str, str]]:
    """The judge's logits [n, w] of the images for its words, the words, and who it is."""
    judge = load(spec_of(args.judge), pick_device(args.device))
    prompts = words_of(images, args.words)
    texts = text_embeddings(judge, list(prompts.values()))
    loaded = preprocessed(judge.spec, images, indices, args.preprocessing, args.batch, args.workers)
    likeness = torch.cat([embed(judge, pictures.to(judge.device)) @ texts for _, pictures in loaded])
    logits = (judge.module.logit_scale.exp() * likeness).cpu().numpy()
    return logits, list(prompts), {"judge": judge.spec.name, "judge_weights": judge.weight_hash[:16]}


def words_of(images: ImageSet, count: int) -> dict[str, list[str]]:
    """Words that may name a feature, each with the texts that stand for it: what captions of scenes say; for
    photographs the ``count`` most common words, bare (as CLIP-Dissect has them)."""
    if has_factors(images):
        return {word: texts for values in factor_prompts().values() for word, texts in values.items()}
    return {word: [word] for word in common_words(count)}


def activations(model: Model, images: ImageSet, indices: np.ndarray, args: argparse.Namespace) -> dict[int, np.ndarray]:
    """By block, the mean activation of each ffn feature (CNNs: channel) on each image: float32 [n, f]."""
    kind = "ffn" if model.is_vit else "channel"
    wanted = [Site(kind, block) for block in range(sites(model)[kind])]
    found = pooled(model, wanted, images, indices, args.preprocessing, args.batch, args.workers)
    return {site.block: acts.numpy() for site, acts in found.items()}
