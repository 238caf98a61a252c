"""The user whose tree is drawn is the one asked for, or one there is."""

from dataclasses import replace

import pytest

from likely.cli.tree import records_of_user
from likely.errors import LikelyError


def test_the_records_of_a_user_come_in_their_order(records):
    shuffled = [*records[20:], *records[:20]]
    assert records_of_user(shuffled, "1") == [record for record in shuffled if record.user_id == "1"]


def test_unless_told_it_is_the_first_who_is_known(records):
    unknown = [replace(record, user_id=None) for record in records[:5]]
    owned = records_of_user([*unknown, *records[5:]], None)
    assert {record.user_id for record in owned} == {records[5].user_id}


def test_somebody_unknown_is_answered_with_some_who_are(records):
    with pytest.raises(
        LikelyError, match=r"no training records of user 'x'; .* 8 that have some: 0, 1, 2, 3, 4, \.\.\."
    ):
        records_of_user(records, "x")


def test_records_of_nobody_have_no_tree(records):
    with pytest.raises(LikelyError, match="None of the 40 training records has a user_id"):
        records_of_user([replace(record, user_id=None) for record in records], None)
