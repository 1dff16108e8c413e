"""Precision and recall of feature vectors by nearest neighbours (Kynkäänniemi et al. 2019, arXiv:1904.06991).

The manifold of a set of vectors is estimated by the union of balls around them; the radius of a ball is the distance to
the k-th nearest vector of the same set. Precision is the share of generated vectors inside the manifold of the real
vectors, recall the share of real vectors inside the manifold of the generated ones. NumPy only.
"""

import numpy as np

from tf_psgan.errors import PictureError

NEAREST = 3
"""The k of the paper."""


def precision_recall(made: np.ndarray, real: np.ndarray, nearest: int = NEAREST) -> tuple[float, float]:
    """(precision, recall), each in [0, 1].

    Args:
      made, real: float [vectors, channels] of generated and real pictures, more than `nearest` vectors each; equal
        counts make precision and recall comparable.
      nearest: the k of the k-th nearest neighbour.
    """
    apart = distances(made, real)
    precision = np.mean(np.any(radii(real, nearest) >= apart, axis=1))
    recall = np.mean(np.any(radii(made, nearest) >= apart.T, axis=1))
    return float(precision), float(recall)


def radii(vectors: np.ndarray, nearest: int = NEAREST) -> np.ndarray:
    """Squared distance of each of [vectors, channels] to its k-th nearest other vector: float64 [vectors].

    Raises:
      PictureError: fewer than k others.
    """
    if len(vectors) <= nearest:
        problem = f"{len(vectors)} feature vectors have no neighbour number {nearest}"
        raise PictureError("pictures", problem, "use larger pictures", value=len(vectors))
    return np.partition(distances(vectors, vectors), nearest, axis=1)[:, nearest]  # index 0 is the vector itself


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances: [n, channels], [m, channels] -> float64 [n, m]."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    squares = np.sum(a**2, axis=1)[:, np.newaxis] + np.sum(b**2, axis=1)
    return np.maximum(squares - 2 * a @ b.T, 0)


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """Fréchet distance of the normal distributions with the means and covariances of [n, channels] and [m, channels].

    |mean difference|^2 + trace(A + B - 2 sqrt(A B)) (Heusel et al. 2017, arXiv:1706.08500), with the trace of the
    square root computed from the eigenvalues of sqrt(A) B sqrt(A). With fewer vectors than channels it is biased
    upwards, so only values of equal counts can be compared.
    """
    a, b = a.astype(np.float64), b.astype(np.float64)
    first, second = (np.atleast_2d(np.cov(vectors, rowvar=False)) for vectors in (a, b))
    values, axes = np.linalg.eigh(first)
    root = axes * np.sqrt(np.maximum(values, 0)) @ axes.T
    mixed = np.linalg.eigvalsh(root @ second @ root)
    traces = np.trace(first) + np.trace(second) - 2 * np.sum(np.sqrt(np.maximum(mixed, 0)))
    return float(np.sum((a.mean(0) - b.mean(0)) ** 2) + max(traces, 0.0))
