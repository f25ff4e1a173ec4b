"""Words for features: soft-WPMI, the best of the measures of CLIP-Dissect (Oikarinen and Weng 2023, section 3)."""

import numpy as np
import pandas as pd
from scipy.special import logsumexp, softmax

TOP, ONE_OF = 100, 50  # images that stand for a feature, and of how many each is one at least
SOFTNESS = 0.1  # of the judge's own scale of logits: the article's factor of 10 for OpenAI's CLIPs, whose scale is 100
FIRST, LAST = 0.998, 0.97  # how surely the most activating image is one of the feature's, and the last of TOP
SHOWN = 3  # words a feature


def soft_wpmi(acts_nf: np.ndarray, logits_nw: np.ndarray) -> np.ndarray:
    """How much more probable each word is of the images of a feature than of those of the others, float64 [f, w].
    ``logits_nw``: a judge's, the cosines of its image and word embeddings times its scale. With p(word | image) the
    softmax of SOFTNESS times those and p(image in feature) falling from FIRST to LAST over the TOP images: the sum over
    these of log(1 + p(image in feature) (p(word | image) - 1)), less the log of its mean over all features."""
    words_nw = softmax(SOFTNESS * logits_nw, axis=1)
    top = min(TOP, -(-len(acts_nf) // ONE_OF))
    member_k = np.linspace(FIRST, LAST, top)[:, None]
    order_kf = np.argsort(-acts_nf, axis=0, kind="stable")[:top]
    given_fw = np.stack([np.log1p(member_k * (words_nw[images] - 1)).sum(0) for images in order_kf.T])
    return given_fw - (logsumexp(given_fw, axis=0) - np.log(len(given_fw)))


def labels(scores_fw: np.ndarray, words: list[str]) -> pd.DataFrame:
    """The SHOWN best words of each feature: ``word_1`` with ``score_1``, and so on."""
    order = np.argsort(-scores_fw, axis=1, kind="stable")[:, :SHOWN]
    columns = {}
    for place in range(order.shape[1]):
        columns[f"word_{place + 1}"] = np.array(words)[order[:, place]]
        columns[f"score_{place + 1}"] = np.take_along_axis(scores_fw, order[:, [place]], 1)[:, 0]
    return pd.DataFrame(columns)
