"""The shares of likes that a hint puts into words, by name.

`liked_shares` and `opinions` compute them, `wording` says them, and files of records keep them beside the words.
"""

import math
from dataclasses import dataclass

OF_DETAILS = "of_details"
"""What files call the share of items with details of the candidate, where details are no genres."""


@dataclass(frozen=True)
class Shares:
    """Shares of likes, from 0 to 1, that a hint puts into words; nan where there is nothing to go by.

    Attributes:
        of_all: among all earlier items of the user.
        above: among the items of the history that the prompt shows.
        of_genres: among earlier items with details of the candidate.
        of_similar: among earlier items that the same people like as the candidate.
        others: of the candidate's earlier ratings by other users.
    """

    of_all: float
    above: float
    of_genres: float
    of_similar: float
    others: float

    def known(self, details: str) -> dict[str, float]:
        """Return the shares that there are, rounded to four places as files hold them, by :func:`share_names`."""
        named = zip(share_names(details), vars(self).values(), strict=True)
        return {name: round(share, 4) for name, share in named if not math.isnan(share)}


def share_names(details: str) -> list[str]:
    """Return what files call the shares of items that have such details."""
    return [OF_DETAILS if name == "of_genres" and details != "genres" else name for name in Shares.__dataclass_fields__]
