"""Sums over rows, and greedy choices of diverse lists; compiled."""

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def add_rows(code, value, weight, square, sums, weights, squares):
    """Add weighted values (n, K) of rows to the sums (A, K) of their code; -1 is left out."""
    n, n_outcomes = value.shape
    for r in range(n):
        at = code[r]
        if at < 0:
            continue
        for k in range(n_outcomes):
            w = weight[r, k]
            if w > 0:
                sums[at, k] += w * value[r, k]
                weights[at, k] += w
                squares[at, k] += square[r, k]


@numba.njit(cache=True, nogil=True)
def add_factors(code, item, value, weight, factors, sums, weights):
    """Add w·value·f_i and w·f_i² (R,) of rows to their user's sums (U, R)."""
    n_factors = factors.shape[1]
    for r in range(len(code)):
        at, w = code[r], weight[r]
        if at < 0 or item[r] < 0 or w <= 0:
            continue
        for f in range(n_factors):
            x = factors[item[r], f]
            sums[at, f] += w * value[r] * x
            weights[at, f] += w * x * x


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def inner(one, other):
    """Inner product of float32; sums may be reordered, so that several are added at once."""
    total = np.float32(0)
    for f in range(one.size):
        total += one[f] * other[f]
    return total


@numba.njit(cache=True, nogil=True)
def pair_products(users, items, user_factors, item_factors):
    """(n,) inner products of the factors of pairs."""
    out = np.zeros(len(users))
    for r in range(len(users)):
        out[r] = inner(user_factors[users[r]], item_factors[items[r]])
    return out


@numba.njit(cache=True, nogil=True)
def add_both(users, items, of_user, of_item, out):
    """Add rows (n, K) of users and of items; one user may stand for all."""
    for r in range(len(items)):
        i, u = items[r], users[r if len(users) > 1 else 0]
        for k in range(out.shape[1]):
            out[r, k] += of_item[i, k] + of_user[u, k]


@numba.njit(cache=True, nogil=True)
def add_scores(scores, worth, out):
    """Add (n, S) scores · their worth (S, K); none where a score is no number."""
    for r in range(len(scores)):
        for s in range(len(worth)):
            if np.isfinite(scores[r, s]):
                for k in range(out.shape[1]):
                    out[r, k] += scores[r, s] * worth[s, k]


@numba.njit(cache=True, nogil=True)
def add_products(users, items, record, product, factors, taste, out):
    """Add to heads (n, K) what users and items are to each other; one user may stand for all.

    Parameters
    ----------
    record, factors
        Tables of users, then of items.
    product, taste
        (K, K) worth of item record · user record; (K,) of the factors' product.
    """
    n_outcomes = out.shape[1]
    tastes = np.any(taste != 0)  # else the log shows none: factors need not be looked up
    for r in range(len(items)):
        i, u = items[r], users[r if len(users) > 1 else 0]
        if tastes:
            alike = inner(factors[0][u], factors[1][i])
            for k in range(n_outcomes):
                out[r, k] += alike * taste[k]
        for a in range(n_outcomes):
            both = record[1][i, a] * record[0][u, a]
            for k in range(n_outcomes):
                out[r, k] += both * product[a, k]


@numba.njit(cache=True, nogil=True)
def quadratic_forms(indptr, indices, cov, centre):
    """(I,) (d - c)ᵀ C (d - c) of 0/1 rows d that are given by their columns."""
    turned = cov @ centre
    constant = centre @ turned
    n = len(indptr) - 1
    out = np.empty(n)
    for i in range(n):
        total = constant
        for s in range(indptr[i], indptr[i + 1]):
            total -= 2.0 * turned[indices[s]]
            for t in range(indptr[i], indptr[i + 1]):
                total += cov[indices[s], indices[t]]
        out[i] = max(total, 0.0)
    return out


@numba.njit(cache=True, nogil=True)
def relevance_order(score, vectors, weight, k):
    """Maximal marginal relevance: the next item maximises score - weight · nearest chosen."""
    n, width = vectors.shape
    chosen = np.empty(k, np.int64)
    nearest = np.zeros(n)
    taken = np.zeros(n, np.bool_)
    for step in range(k):
        best, top = -1, -np.inf
        for i in range(n):
            if not taken[i]:
                value = score[i] - weight * nearest[i]
                if value > top:
                    best, top = i, value
        chosen[step] = best
        taken[best] = True
        for i in range(n):
            if not taken[i]:
                alike = 0.0
                for f in range(width):
                    alike += vectors[best, f] * vectors[i, f]
                nearest[i] = max(nearest[i], alike)
    return chosen


@numba.njit(cache=True, nogil=True)
def determinant_order(score, vectors, ridge, k):
    """Greedy maximum a posteriori of a determinantal point process, by incremental Cholesky.

    The kernel is diag(e^s)·(V Vᵀ + ridge·I)·diag(e^s).
    """
    n, width = vectors.shape
    chosen = np.empty(k, np.int64)
    rows = np.zeros((k, n))
    left = np.empty(n)
    for i in range(n):
        left[i] = ridge
        for f in range(width):
            left[i] += vectors[i, f] ** 2
    taken = np.zeros(n, np.bool_)
    for step in range(k):
        best, top = -1, -np.inf
        for i in range(n):
            if not taken[i]:
                value = 2.0 * score[i] + np.log(max(left[i], 1e-300))
                if value > top:
                    best, top = i, value
        chosen[step] = best
        taken[best] = True
        root = np.sqrt(max(left[best], 1e-300))
        for i in range(n):
            if not taken[i]:
                inner = 0.0
                for f in range(width):
                    inner += vectors[best, f] * vectors[i, f]
                for s in range(step):
                    inner -= rows[s, best] * rows[s, i]
                inner /= root
                rows[step, i] = inner
                left[i] -= inner * inner
    return chosen
