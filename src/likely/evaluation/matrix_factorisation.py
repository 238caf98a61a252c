"""The baseline that gives users and items a few numbers each: what a user likes and what an item has of it.

`baselines` enters it beside those that count likes.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from likely.data.records import Labels, Record
from likely.evaluation.features import item_keys, likes_of, user_keys
from likely.model.answers import FloatRows


def matrix_factorisation(
    train: Sequence[Record], rows: Sequence[Record], labels: Labels, factors: int = 16, steps: int = 60
) -> FloatRows:
    """Return sigmoid(m + a_user + b_item + u_user . v_item), float64 [rows], fitted to the training rows.

    Logistic matrix factorisation with biases (Johnson 2014; biases of Koren et al. 2009), m being the overall
    log-odds, by Adam over all rows at once. `implicit` has one too, but it takes every pair that was not seen
    for a dislike; here dislikes are explicit and the unseen says nothing, and no further package is needed.
    Penalties, factors and steps are those with the best AUC on the eval rows of MovieLens latest-small. Users
    and items without training rows have zeros.
    """
    import torch

    liked = torch.from_numpy(likes_of(train, labels)).float()
    overall = torch.logit(liked.mean())
    penalties = torch.tensor([3.0] + [10.0] * factors)
    random = torch.Generator().manual_seed(0)
    tables, of_train, of_rows = [], [], []
    for keys_of in (user_keys, item_keys):
        names = np.unique(np.array(keys_of(train)))
        of_train.append(torch.from_numpy(_places(names, keys_of(train))))
        of_rows.append(torch.from_numpy(_places(names, keys_of(rows))))
        # The first column is the bias; the last row is for users or items without training rows.
        table = 0.1 * torch.randn(len(names) + 1, factors + 1, generator=random)
        table[:, 0] = table[-1] = 0
        tables.append(table.requires_grad_())

    def predicted(places: Sequence[torch.Tensor]) -> torch.Tensor:
        user, item = (table[place] for table, place in zip(tables, places, strict=True))
        return overall + user[:, 0] + item[:, 0] + (user[:, 1:] * item[:, 1:]).sum(dim=1)

    optimizer = torch.optim.Adam(tables, lr=0.1)
    for _ in range(steps):
        misfit = torch.nn.functional.binary_cross_entropy_with_logits(predicted(of_train), liked, reduction="sum")
        penalty = torch.stack([(table.square() * penalties).sum() for table in tables]).sum()
        optimizer.zero_grad()
        ((misfit + penalty / 2) / len(liked)).backward()
        optimizer.step()
    with torch.no_grad():
        return np.asarray(predicted(of_rows).sigmoid().double().numpy())


def _places(names: NDArray[np.str_], keys: Sequence[str]) -> NDArray[np.int64]:
    """Return where each key stands in sorted names, or their number for one that is not among them."""
    wanted = np.array(keys)
    places = np.searchsorted(names, wanted).clip(max=len(names) - 1)
    return np.where(names[places] == wanted, places, len(names))
