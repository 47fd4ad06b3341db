"""Logistic regression: chances from weighted sums."""

import numpy as np
from scipy.optimize import minimize


def logistic_regression(
    inputs: np.ndarray,
    positive: np.ndarray,
    start: np.ndarray,
    weight: np.ndarray | float = 1.0,
    ridge: np.ndarray | float = 0.0,
) -> np.ndarray:
    """(k,) weights of the logit that make the log loss least.

    inputs: (n, k), a column of ones among them for a shift. positive: (n,) bool. start: (k,).
    weight: of each of the n. ridge: of each of the k, half of which times its square is added.
    """
    sign = 1 - 2 * positive.astype(float)

    def loss(weights):
        margin = sign * (inputs @ weights)
        chance = np.exp(-np.logaddexp(0, -margin))
        value = np.sum(weight * np.logaddexp(0, margin)) + np.sum(ridge * weights**2) / 2
        return float(value), inputs.T @ (weight * sign * chance) + ridge * weights

    return minimize(loss, start, jac=True, method="L-BFGS-B").x
