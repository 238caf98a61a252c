"""A control for what a language model reads in texts: vectors of the same items without any model.

Takes items as prompts name them and gives `text_rows` pieces of words, details and year, reduced to a few dimensions.
"""

from collections.abc import Sequence

import numpy as np

from likely.data.wording import YEAR
from likely.model.answers import FloatRows, Matrix

DIMENSIONS = 64
DECADE = 10.0
"""Years apart at which two years of release are half alike."""


def ngram_vectors(texts: Sequence[str]) -> Matrix:
    """Return the TF-IDF of three to five letters of titles, the TF-IDF of details, and years, by SVD.

    Latent semantic analysis (Deerwester et al., Indexing by latent semantic analysis, 1990). Each of the three has
    length 1.

    Args:
        texts: items as prompts name them, at least one.

    Returns:
        float64 [texts, at most 64].
    """
    from scipy.sparse import csr_matrix, hstack
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    parts = [text.rpartition(" | ") if " | " in text else (text, "", "") for text in texts]
    named = [YEAR.sub("", title) for title, _, _ in parts]
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
    columns = [letters.fit_transform(named), csr_matrix(normalize(_years(texts)))]
    details = [some for _, _, some in parts]
    if any(details):
        columns.append(TfidfVectorizer(token_pattern=r"[^,\s][^,]*").fit_transform(details))
    together = hstack(columns).tocsr()
    dimensions = min(DIMENSIONS, together.shape[1] - 1, len(texts))
    return np.asarray(TruncatedSVD(dimensions, random_state=0).fit_transform(together), dtype=np.float64)


def _years(texts: Sequence[str]) -> FloatRows:
    """Return how near each year is to each decade, float64 [texts, decades]; nothing for a text without a year."""
    found = [YEAR.search(text) for text in texts]
    years = np.array([float(year[1]) if year else np.nan for year in found])
    known = years[~np.isnan(years)]
    decades = np.arange(known.min(), known.max() + DECADE, DECADE) if len(known) else np.zeros(1)
    return np.asarray(np.nan_to_num(np.exp(-(((years[:, None] - decades) / DECADE) ** 2))))
