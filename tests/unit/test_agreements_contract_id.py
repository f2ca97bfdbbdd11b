# SPDX-License-Identifier: Apache-2.0
"""The 47 characters of a contract's number."""

from datetime import UTC, datetime

import pytest

from zhanqiao.agreements.contract_id import CHECKS, Node, is_valid, make

NODE = Node("1", "11370200MB2F00001X", "3702")
AT = datetime(2026, 11, 25, 17, 30, 5, tzinfo=UTC)


def dice(size: int) -> bytes:
    return bytes(range(1, size + 1))


@pytest.mark.parametrize("check", CHECKS)
def test_every_part_stands_where_the_standard_puts_it(check: str):
    number = make(NODE, AT, dice, check)
    assert len(number) == 47
    assert number[0] == "C"
    assert number[1] == "1"
    assert number[2:20] == NODE.subject
    assert number[20:24] == "3702"
    assert number[24:38] == "20261126013005"  # legal time, eight hours ahead
    assert number[38:46].isalnum()
    assert is_valid(number, check)


@pytest.mark.parametrize("check", CHECKS)
def test_every_single_wrong_character_and_every_swap_is_found(check: str):
    number = make(NODE, AT, dice, check)
    for place in range(1, 46):
        for letter in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ":
            if letter != number[place]:
                assert not is_valid(number[:place] + letter + number[place + 1 :], check)
        swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
        if swapped != number:
            assert not is_valid(swapped, check)


def test_our_numbers_suit_file_names_and_addresses():
    assert all(make(NODE, AT, lambda size, n=n: bytes([n]) * size).isalnum() for n in range(256))


@pytest.mark.parametrize("number", ["", "C", "X" * 47, "C" + "1" * 46, "c" + "1" * 45 + "1"])
def test_what_is_no_number_is_none(number: str):
    assert not is_valid(number)


@pytest.mark.parametrize(
    ("kind", "subject", "area"), [("", "0" * 18, "3702"), ("1", "0" * 17, "3702"), ("1", "中" * 18, "3702")]
)
def test_a_node_has_its_sizes(kind: str, subject: str, area: str):
    with pytest.raises(ValueError, match="couldn't number contracts"):
        Node(kind, subject, area)
