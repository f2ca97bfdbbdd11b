# SPDX-License-Identifier: Apache-2.0
"""Tokens: injective, keyed, invertible by the key holder only; numbers that are given once."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.vault_cases import nothing_recorded
from zhanqiao.terms.subjects import Subject, SubjectKind
from zhanqiao.vault import tokens
from zhanqiao.vault.faults import KeyFault, VaultFault
from zhanqiao.vault.keys import Keyring
from zhanqiao.vault.subjects import SubjectBook, _by_token, _Index

KEY = bytes(range(32))
PERSON, FIRM = SubjectKind.PERSON, SubjectKind.ENTERPRISE
ID, OTHER, USCC = "370202194910010018", "37020219491001002X", "91370200MA3C0YUB5X"
IDS = st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=18, max_size=18)


def token(text: str, kind=PERSON, key=KEY, **more) -> tuple[int, int]:
    column = tokens.identifiers([text])
    assert column.good.all()
    low, high = tokens.tokens_of(key, kind, column, **more)[0].tolist()
    return low, high


@given(IDS, st.sampled_from(SubjectKind), st.integers(0, 2**22 - 1))
def test_only_the_key_holder_gets_the_identifier_back(text, kind, domain):
    made = token(text, kind, domain=domain)
    assert tokens.invert(KEY, kind, made, domain=domain) == text
    for wrong in ((bytes(32), kind, domain), (KEY, kind, (domain + 1) % 2**22)):
        with pytest.raises(VaultFault, match="couldn't invert a token"):
            tokens.invert(wrong[0], wrong[1], made, domain=wrong[2])


@given(st.lists(IDS, unique=True, max_size=50))
def test_distinct_identifiers_have_distinct_tokens(texts):
    made = tokens.tokens_of(KEY, PERSON, tokens.identifiers(texts))
    assert len({tuple(one) for one in made.tolist()}) == len(texts)


def test_a_token_depends_on_kind_domain_layout_and_key():
    made = {
        token(ID),
        token(ID, FIRM),
        token(ID, domain=7),
        token(ID, layout=2),
        token(ID, key=bytes(32)),
    }
    assert len(made) == 5
    with pytest.raises(VaultFault):
        tokens.invert(KEY, FIRM, token(ID))


def test_one_block_of_aes_is_what_it_is():
    """The construction, spelled out a second time with Python's integers."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    number = int(USCC[:9], 36) << 47 | int(USCC[9:], 36)
    block = (1 << 26 | 2 << 22 | 0) << 94 | number
    sealed = Cipher(algorithms.AES256(KEY), modes.ECB()).encryptor().update(block.to_bytes(16, "little"))
    low, high = token(USCC, FIRM)
    assert low | high << 64 == int.from_bytes(sealed, "little")


@pytest.mark.parametrize(
    "spelling",
    ["37020219491001002x", " 37020219491001002X", "３７０２０２１９４９１００１００２Ｘ", "370202-19491001-002X"],
)
def test_every_spelling_of_an_identifier_is_one_subject(spelling):
    assert token(spelling) == token(OTHER)


@pytest.mark.parametrize("text", [None, "", "3702021949100100", "37020219491001002é", "37020219491001 02*", "🙂" * 18])
def test_what_is_no_identifier_has_no_token(text):
    assert not tokens.identifiers([text]).good.any()


def test_columns_of_all_shapes_are_read_alike():
    plain = pa.array([ID, OTHER, USCC])
    want = tokens.tokens_of(KEY, PERSON, tokens.identifiers(plain)).tolist()
    shapes = (
        pa.array(["x", ID, OTHER, USCC, None])[1:4],
        pa.chunked_array([[ID], [OTHER, USCC]]),
        plain.cast(pa.large_string()),
        plain.dictionary_encode(),
        [ID, OTHER.lower(), USCC],
    )
    for shape in shapes:
        column = tokens.identifiers(shape)
        assert column.good.all()
        assert tokens.tokens_of(KEY, PERSON, column).tolist() == want
    mixed = tokens.identifiers([ID, None, "short", OTHER])
    assert mixed.good.tolist() == [True, False, False, True]
    assert mixed.texts(np.array([3, 0])).to_pylist() == [OTHER, ID]


def test_a_long_column_is_packed_in_chunks():
    texts = [f"{number:018d}" for number in range(70_000)]
    made = tokens.tokens_of(KEY, PERSON, tokens.identifiers(pa.array(texts)))
    assert tuple(made[69_999].tolist()) == token(texts[-1])


# --- numbers ----------------------------------------------------------------------------------------


@pytest.fixture
def keyring(tmp_path):
    return Keyring.create(tmp_path / "keys")


@pytest.fixture
def book(tmp_path, keyring):
    return SubjectBook(tmp_path / "subjects", keyring, nothing_recorded)


def test_numbers_are_dense_and_stay(book, tmp_path, keyring):
    first = book.numbers(PERSON, [ID, OTHER, ID], allocate=True)
    assert first[0] == first[2]
    assert sorted({*first.tolist()}) == [0, 1]
    later = book.numbers(PERSON, [f"{n:018d}" for n in range(1000)] + [OTHER], allocate=True)
    assert later[-1] == first[1]
    assert sorted(later[:-1].tolist()) == list(range(2, 1002))
    again = SubjectBook(tmp_path / "subjects", keyring, nothing_recorded)
    assert again.numbers(PERSON, [ID, OTHER]).tolist() == first[:2].tolist()
    assert again.count(PERSON) == 1002
    assert again.count(FIRM) == 0


def test_numbers_do_not_tell_who_arrived_first(book):
    texts = [f"{number:018d}" for number in range(500)]
    numbers = book.numbers(PERSON, texts, allocate=True)
    assert numbers.tolist() != sorted(numbers.tolist())
    assert abs(np.corrcoef(np.arange(500), numbers)[0, 1]) < 0.3


def test_an_unknown_subject_is_not_numbered_by_asking(book):
    assert book.numbers(PERSON, [ID, None, "no"]).tolist() == [-1, -1, -1]
    assert book.count(PERSON) == 0
    assert book.number_of(Subject(PERSON, ID)) is None
    book.numbers(PERSON, [ID], allocate=True)
    assert book.number_of(Subject(PERSON, ID.lower())) == 0
    assert book.number_of(Subject(FIRM, ID)) is None


def test_two_writers_agree(tmp_path, keyring):
    one, other = (SubjectBook(tmp_path / "subjects", keyring, nothing_recorded) for _ in range(2))
    one.numbers(PERSON, [ID], allocate=True)
    both = other.numbers(PERSON, [OTHER, ID], allocate=True)
    assert one.numbers(PERSON, [OTHER, ID], allocate=True).tolist() == both.tolist()
    assert sorted(both.tolist()) == [0, 1]


def test_threads_share_one_book(book):
    from concurrent.futures import ThreadPoolExecutor

    def work(turn):
        texts = [f"{number:018d}" for number in range(turn, turn + 40)]
        return dict(zip(texts, book.numbers(PERSON, texts, allocate=True).tolist(), strict=True))

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(work, range(100)))
    together = {text: {given[text] for given in found if text in given} for given in found for text in given}
    assert all(len(numbers) == 1 for numbers in together.values())
    assert sorted(number for (number,) in together.values()) == list(range(139))


def test_files_stay_few_and_numbers_right_over_many_batches(tmp_path, keyring):
    book = SubjectBook(tmp_path / "subjects", keyring, nothing_recorded)
    want = {}
    for start in range(0, 3000, 60):
        texts = [f"{number:018d}" for number in range(start, start + 60 + start % 7)]
        want |= dict(zip(texts, book.numbers(PERSON, texts, allocate=True).tolist(), strict=True))
    assert sorted(want.values()) == list(range(len(want)))
    assert len(list((tmp_path / "subjects" / "person").glob("*.book"))) <= 10
    again = SubjectBook(tmp_path / "subjects", keyring, nothing_recorded)
    assert again.numbers(PERSON, list(want)).tolist() == list(want.values())


def test_a_lost_or_foreign_book_is_a_fault(tmp_path, keyring):
    book = SubjectBook(tmp_path / "subjects", keyring, nothing_recorded)
    book.numbers(PERSON, [f"{n:018d}" for n in range(100)], allocate=True)
    book.numbers(PERSON, [ID], allocate=True)
    with pytest.raises(KeyFault, match="couldn't open person/0-100"):
        SubjectBook(tmp_path / "subjects", Keyring.create(tmp_path / "other"), nothing_recorded).numbers(PERSON, [ID])
    (tmp_path / "subjects" / "person" / "0-100.book").unlink()
    with pytest.raises(VaultFault, match="a file of it is missing"):
        SubjectBook(tmp_path / "subjects", keyring, nothing_recorded).numbers(PERSON, [ID])


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=40))
def test_equal_tokens_come_together_even_where_halves_are_equal(pairs):
    made = np.array(pairs, np.uint64).reshape(-1, 2)
    ordered = [pairs[row] for row in _by_token(made, np.arange(len(pairs)))]
    seen = [pair for pair, before in zip(ordered, [None, *ordered], strict=False) if pair != before]
    assert len(seen) == len({*pairs})


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40)), unique=True, max_size=60), st.integers(0, 40))
def test_the_index_is_exact_even_where_hashes_meet(pairs, cut):
    """Tokens with equal top bits, and equal halves: both halves decide."""
    made = np.array(pairs, np.uint64).reshape(-1, 2)
    index = _Index()
    index.extend(made[:cut])
    index.find(np.zeros((20, 2), np.uint64))
    index.extend(made[cut:])
    assert index.find(made).tolist() == list(range(len(made)))
    absent = np.array([(9, 9), (0, 99)] * 20, np.uint64)
    assert (index.find(absent) == -1).all()
