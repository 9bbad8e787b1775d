"""A forest laid out for the compiled kernel says what scikit-learn's says."""

from __future__ import annotations

import numpy as np
import pytest

from tomarium.errors import InputError
from tomarium.kernels.decision_trees import Trees, probabilities, trees_of

ensemble = pytest.importorskip("sklearn.ensemble")


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("seed", range(3))
def test_what_scikit_learn_says(seed: int, classes: int) -> None:
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(3000, 7)).astype(np.float32)
    features[:, 2] = np.round(features[:, 2], 1)  # thresholds lie between few values, some on float32 numbers
    wanted = (features[:, 0] + features[:, 1] ** 2 + draw.normal(size=3000) > 1) + 2 * (features[:, 2] > 0.3)
    forest = ensemble.RandomForestClassifier(20, min_samples_leaf=2, random_state=seed)
    forest.fit(features, wanted % classes, sample_weight=draw.random(3000) + 0.1)
    asked = np.concatenate([features, draw.normal(size=(20_011, 7)).astype(np.float32)])
    expected = forest.predict_proba(asked)
    trees = trees_of(forest.estimators_)
    native = probabilities(trees, asked, engine="native")
    np.testing.assert_allclose(native, expected, atol=1e-12)
    assert (native == probabilities(trees, asked, engine="reference")).all()
    assert (native == probabilities(trees, asked, engine="native", threads=1)).all()
    assert (native[:13] == probabilities(trees, asked[:13], engine="native")).all()


def test_a_tree_of_one_leaf() -> None:
    forest = ensemble.RandomForestClassifier(3, random_state=0).fit(
        np.zeros((5, 2)), np.array([0, 0, 0, 1, 1])
    )
    said = probabilities(trees_of(forest.estimators_), np.ones((4, 2), np.float32))
    np.testing.assert_allclose(said, forest.predict_proba(np.ones((4, 2))))


def test_too_few_features_are_refused() -> None:
    trees = Trees(
        np.array([0, np.inf, np.inf], np.float32), np.array([[3, 1], [0, 1], [0, 2]], np.int32),
        np.array([0], np.int32), np.array([[0.5, 0.5], [1, 0], [0, 1.0]]),
    )  # fmt: skip
    with pytest.raises(InputError, match="the trees compare 4"):
        probabilities(trees, np.zeros((2, 3), np.float32))
    assert probabilities(trees, np.array([[0, 0, 0, 0], [0, 0, 0, 1]], np.float32)).tolist() == [
        [1, 0],
        [0, 1],
    ]


def test_nodes_that_lead_astray_are_refused() -> None:
    trees = Trees(
        np.array([0, np.inf], np.float32), np.array([[0, 1], [0, 1]], np.int32),
        np.array([0], np.int32), np.ones((2, 1)),
    )  # fmt: skip
    with pytest.raises(ValueError, match="a node must lead to two later ones"):
        probabilities(trees, np.zeros((2, 1), np.float32), engine="native")
