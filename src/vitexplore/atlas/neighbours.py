"""Which features of two models do alike on the same images."""

import numpy as np

AT_ONCE = 1024  # features whose correlations with all others are held


def standardized(acts_nf: np.ndarray) -> np.ndarray:
    """``acts_nf`` float32 [n, f] with mean 0 and length 1 over images; 0 throughout for a feature that never changes:
    the product of two such columns is their correlation."""
    centred_nf = acts_nf.astype(np.float32) - acts_nf.mean(0, dtype=np.float64).astype(np.float32)
    length_f = np.linalg.norm(centred_nf, axis=0)
    return np.divide(centred_nf, length_f, out=np.zeros_like(centred_nf), where=length_f > 1e-6 * len(acts_nf) ** 0.5)


def nearest(mine_nf: np.ndarray, others_ng: np.ndarray, count: int, same: bool) -> tuple[np.ndarray, np.ndarray]:
    """Of each of ``mine_nf`` the ``count`` columns of ``others_ng`` that correlate with it most over the images, best
    first: int64 [f, count], and the correlations, float32 [f, count]. Both ``standardized``. ``same``: both are the
    same features, and none is its own neighbour."""
    count = min(count, others_ng.shape[1] - same)
    found, values = [], []
    for start in range(0, mine_nf.shape[1], AT_ONCE):
        r_fg = mine_nf[:, start : start + AT_ONCE].T @ others_ng
        if same:
            own = np.arange(len(r_fg))
            r_fg[own, start + own] = -np.inf
        best_fk = np.argpartition(-r_fg, count - 1, axis=1)[:, :count]
        order_fk = np.take_along_axis(-r_fg, best_fk, axis=1).argsort(axis=1, kind="stable")
        best_fk = np.take_along_axis(best_fk, order_fk, axis=1)
        found.append(best_fk)
        values.append(np.take_along_axis(r_fg, best_fk, axis=1))
    return np.concatenate(found), np.concatenate(values)
