# SPDX-License-Identifier: Apache-2.0
"""The lexer: what a parser gets to see, and that it is the same each time."""

import pytest

from lib.statements import lexed
from zhanqiao.policy.guard.lexer import lex
from zhanqiao.terms.refusals import Reason


def test_quotes_are_lifted_out() -> None:
    found = lexed("SELECT count(*) AS \"总数\" FROM t WHERE a = '青岛' AND b = 'it''s' AND c = '青岛';")
    assert found.text == ("SELECT count(*) AS \"zq__n0\" FROM t WHERE a = 'zq__s0' AND b = 'zq__s1' AND c = 'zq__s2'")
    assert found.texts == {"zq__s0": "青岛", "zq__s1": "it's", "zq__s2": "青岛"}
    assert found.names == {"zq__n0": "总数"}


def test_what_parsers_see_is_ascii_without_the_callers_words() -> None:
    found = lexed("SELECT \"名 ; -- /* ' \" FROM t WHERE x = '/* 注释 */ -- ; \" $ \\'")
    assert found.text.isascii()
    assert found.text == "SELECT \"zq__n0\" FROM t WHERE x = 'zq__s0'"


def test_lexing_is_deterministic_and_settles() -> None:
    text = 'SELECT "a", count(*) FROM t WHERE b = \'c\' GROUP BY "a"'
    assert lex(text) == lex(text)
    assert lexed(lexed(text).text).text == lexed(text).text


def test_names_are_as_quoted_or_in_lower_case() -> None:
    found = lexed('SELECT "Aa", Bb FROM t')
    assert found.name("zq__n0") == "Aa"
    assert found.name("Bb") == "bb"
    assert found.alias("Bb") == "Bb"


@pytest.mark.parametrize(
    ("text", "code", "facts"),
    [
        ("SELECT 所属区市", "text-han", {"character": "所 (U+6240)", "position": "8"}),
        ("SELECT a，b", "text-full-width", {"character": "， (U+FF0C)", "position": "9", "plain": ","}),
        ("SELECT é", "text-character", {"character": "é (U+00E9)", "position": "8"}),
        ("SELECT \u200bx", "text-character", {"character": "U+200B", "position": "8"}),
        ("SELECT '\u202e'", "text-quote-character", {"character": "U+202E", "position": "8"}),
        ("SELECT 1;\n SELECT 2", "text-many-statements", {"position": "9"}),
        ("SELECT 'a", "text-quote-open", {"position": "8"}),
        ("SELECT 1.", "text-number", {"word": "1."}),
        ("SELECT 12ab", "text-number", {"word": "12ab"}),
        ("SELECT zq__s9", "text-reserved-word", {"word": "zq__s9"}),
        ("SELECT " + "(" * 61, "text-too-deep", {"limit": "60"}),
        ("x" * 8193, "text-too-long", {"size": "8193", "limit": "8192"}),
    ],
)
def test_where_it_is_wrong(text: str, code: str, facts: dict[str, str]) -> None:
    assert lex(text) == (Reason(code, facts),)


def test_every_mistake_once() -> None:
    found = lex('SELECT \u200b\u200b\u200c # -- x\n zq__s0, 1e5, "" FROM t; 1')
    assert isinstance(found, tuple)
    assert [reason.code for reason in found] == [
        "text-character",
        "text-character",
        "text-character",
        "text-comment",
        "text-reserved-word",
        "text-number",
        "text-quote-empty",
        "text-many-statements",
    ]


def test_a_flood_of_mistakes_is_cut_short() -> None:
    found = lex("".join(chr(code) for code in range(0x0400, 0x0400 + 2000)))
    assert isinstance(found, tuple)
    assert len(found) == 20
