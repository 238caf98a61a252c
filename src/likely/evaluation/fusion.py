"""What the adapter adds to what counting knows: logistic regressions that mix the two, fitted on eval rows alone.

`run` gives the answers of the adapter and of `baselines`, and enters what comes out beside them, for records that allow
no `answer`, such as those without times.
"""

from collections.abc import Sequence

import numpy as np

from likely.data.records import Labels, Record
from likely.data.wording import Words
from likely.evaluation.baselines import baseline_systems, prior_log_odds
from likely.evaluation.classifiers import logistic_regression
from likely.evaluation.contest import System
from likely.evaluation.features import likes_of, log_odds, not_among
from likely.evaluation.given import countable
from likely.evaluation.metrics import auc
from likely.model.answers import FloatRows

WITH_RATES = "adapter + item + user"


def why_no_fusion(train: Sequence[Record], tuned: Sequence[Record], rows: Sequence[Record]) -> str | None:
    """Return why no fusion can be fitted on eval rows, None if one can.

    Args:
        train: training records, for the baselines.
        tuned: eval records, to fit on.
        rows: records to answer, none of which may be fitted on.
    """
    if len({record.output for record in tuned}) < 2:
        return "they need eval records with both labels"
    if len({record.output for record in train}) < 2:
        return "they need training records with both labels"
    if any(record.item_id is None or record.user_id is None for record in (*train, *tuned, *rows)):
        return "they need item_id and user_id in every record"
    if len(not_among(tuned, rows)) < len(tuned):
        return "they are fitted on eval records, and these are among the rows"
    return None


def fusions(
    train: Sequence[Record],
    tuned: Sequence[Record],
    rows: Sequence[Record],
    labels: Labels,
    adapter_on_eval: FloatRows,
    systems: Sequence[System],
    held_out: Sequence[Record] = (),
    words: Words | None = None,
) -> list[System]:
    """Mix the adapter with the like-rates of item and user, and with the baseline that is best on the eval rows.

    Mixed are log-odds. That baseline never saw an eval row, so its answers there are as good as on the rows, and the
    mix says whether the adapter knows anything that it does not (stacking, Wolpert, Stacked generalization, 1992).

    Args:
        train: training records.
        tuned: eval records, for which :func:`why_no_fusion` has no objection.
        rows: records to answer.
        labels: which output is a like.
        adapter_on_eval: P(Yes) of the adapter for `tuned`, float64 [eval rows].
        systems: the adapter's and the baselines' answers to `rows`.
        held_out: all eval records; those from before a record count for it, as they did for the baselines.
        words: in which the records speak of ratings, where that is known.
    """
    earlier = not_among(held_out, [*tuned, *rows])
    liked = likes_of(tuned, labels)
    (adapter,) = (system.p_yes for system in systems if system.kind == "adapter")
    on_eval = {one.name: one.p_yes for one in baseline_systems(train, tuned, labels, earlier, words)[0]}
    on_rows = {one.name: one.p_yes for one in systems if one.kind == "baseline" and one.name in on_eval}
    best = max(on_rows, key=lambda name: auc(liked, on_eval[name]))
    mixes = {
        WITH_RATES: (
            prior_log_odds(countable(train, tuned, earlier), tuned, labels),
            prior_log_odds(countable(train, rows, [*earlier, *tuned]), rows, labels),
        ),
        f"adapter + {best}": (log_odds(on_eval[best]), log_odds(on_rows[best])),
    }
    mixed = []
    for name, (known_of_eval, known_of_rows) in mixes.items():
        fitted_on = np.column_stack([log_odds(adapter_on_eval), known_of_eval])
        p_yes = logistic_regression(liked, fitted_on, np.column_stack([log_odds(adapter), known_of_rows]))
        mixed.append(System.from_probabilities(name, "fusion", p_yes))
    return mixed
