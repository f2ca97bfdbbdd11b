# SPDX-License-Identifier: Apache-2.0
"""Notes, checkpoints, envelopes, exact spellings and trust files, against published examples where there are any."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from zhanqiao.ledger.certificate import answer_digest, group_root, seal
from zhanqiao.ledger.checkpoint import Checkpoint
from zhanqiao.ledger.dsse import key_id_of, open_envelope, pae, sign_envelope
from zhanqiao.ledger.exact import exact_base64, exact_decimal, exact_json
from zhanqiao.ledger.note import CosignatureSigner, NoteSigner, NoteVerifier, open_note, open_signed, sign
from zhanqiao.ledger.problems import PROBLEMS, Problem, Unsound
from zhanqiao.ledger.tree import EMPTY_ROOT
from zhanqiao.ledger.trust import Trust, trust_text
from zhanqiao.ledger.verify import Outcome, verify

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LOG = NoteSigner("example.com/log", KEY)

# The example of Go's sumdb/note documentation.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_the_published_note_opens():
    verifier = NoteVerifier.from_vkey(PETER)
    assert verifier.vkey == PETER
    text, names = open_note(PETER_NOTE.encode(), [verifier])
    assert text.startswith("If you think")
    assert names == ["PeterNeumann"]


def test_the_published_dsse_encoding():
    assert (
        pae("http://example.com/HelloWorld", b"hello world")
        == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert pae("数据", "库".encode()) == "DSSEv1 6 数据 3 库".encode()


def test_a_note_needs_a_known_signature():
    note = sign("text\n", [LOG])
    with pytest.raises(Unsound) as caught:
        open_note(note, [NoteSigner("example.com/other", KEY).verifier])
    assert caught.value.problem.code == "note-not-trusted"
    assert open_signed(note, []).signed == {}


def test_a_cosignature_carries_its_time():
    witness = CosignatureSigner("witness.example", KEY, 1_700_000_000)
    opened = open_signed(sign("text\n", [LOG, witness]), [LOG.verifier, witness.verifier])
    assert opened.signed == {LOG.verifier: 0, witness.verifier: 1_700_000_000}


def test_sixteen_strange_signatures_are_borne_and_a_hundred_and_one_are_not():
    strangers = [NoteSigner(f"stranger{number}", KEY) for number in range(100)]
    assert open_note(sign("text\n", [*strangers[:16], LOG]), [LOG.verifier])[1] == ["example.com/log"]
    with pytest.raises(Unsound):
        open_note(sign("text\n", [*strangers, LOG]), [LOG.verifier])


@pytest.mark.parametrize("name", ["", "two words", "a+b", "tab\there", "wide　space"])
def test_a_key_name_has_no_space_and_no_plus(name: str):
    with pytest.raises(ValueError, match="couldn't name a key"):
        NoteSigner(name, KEY)


@pytest.mark.parametrize("text", ["no newline", "carriage\r\n", "nul\x00\n"])
def test_what_no_note_can_hold_is_not_signed(text: str):
    with pytest.raises(ValueError, match="couldn't sign the note"):
        sign(text, [LOG])


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "PeterNeumann",
        PETER.replace("c74f20a3", "c74f20a4"),
        PETER.replace("c74f20a3", "C74F20A3"),
        PETER.replace("PeterNeumann", "Peter Neumann"),
        PETER[:-4],
        PETER + "=",
        "PeterNeumann+c74f20a3+" + "A" * 44,
    ],
)
def test_an_odd_vkey_is_refused(vkey: str):
    with pytest.raises(ValueError):
        NoteVerifier.from_vkey(vkey)


def test_a_checkpoint_is_read_back():
    checkpoint = Checkpoint("example.com/log", 0, EMPTY_ROOT)
    assert Checkpoint.parse(checkpoint.text()) == checkpoint
    with pytest.raises(Unsound):
        Checkpoint.parse(Checkpoint("example.com/log", 0, bytes(32)).text())
    with pytest.raises(Unsound):
        Checkpoint.parse(Checkpoint("", 1, bytes(32)).text())


def test_an_envelope_opens_under_its_key_only():
    key_id = key_id_of(KEY.public_key())
    envelope = sign_envelope("text/plain", b"body", key_id, KEY)
    opened = open_envelope(envelope, {key_id: KEY.public_key()})
    assert (opened.payload_type, opened.payload, opened.key_id) == ("text/plain", b"body", key_id)
    other = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
    for keys in ({}, {key_id: other}, {key_id_of(other): other}):
        with pytest.raises(Unsound):
            open_envelope(envelope, keys)


@pytest.mark.parametrize("text", ["AA==", "AAA=", "AAAA", ""])
def test_base64_in_its_one_spelling(text: str):
    assert len(exact_base64(text)) in {0, 1, 2, 3}


@pytest.mark.parametrize("text", ["AB==", "AAB=", "AA", "AA=", "A A=", "AAAA\n", "AA-_", "AAAA====", "=AAA", "ＡＡ=="])
def test_base64_in_any_other_spelling(text: str):
    with pytest.raises(ValueError):
        exact_base64(text)


@pytest.mark.parametrize("text", ["", "00", "01", "+1", "-1", "1.0", " 1", "1_0", "٣", "101", "9" * 5_000])
def test_numbers_in_any_other_spelling(text: str):
    with pytest.raises(ValueError):
        exact_decimal(text, 100)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"1.0",
        b"1e3",
        b"NaN",
        b"-0",
        b"01",
        b"9007199254740992",
        b'{"a":1,"a":1}',
        b'{"b":1,"a":1}',
        b'{"a": 1}',
        b" 1",
        b"1\n",
        b'"\\u0041"',
        b'"\\/"',
        b'"\\ud800"',
        b'"\xff"',
        b"[" * 65 + b"]" * 65,
        b"[" * 100_000 + b"]" * 100_000,
        b"9" * 5_000,
    ],
)
def test_json_in_any_other_spelling(text: bytes):
    with pytest.raises(ValueError):
        exact_json(text)


def test_json_in_its_one_spelling():
    assert exact_json(b"[" * 64 + b"]" * 64)
    assert exact_json('{"a":[null,true,-5],"库":"\\n\u2028"}'.encode()) == {"a": [None, True, -5], "库": "\n\u2028"}


def test_sealing_refuses_what_verifying_would():
    with pytest.raises(ValueError, match="fields missing or unknown"):
        seal({"version": 1}, "0" * 64, KEY)


def test_a_salt_has_sixteen_bytes():
    with pytest.raises(ValueError, match="a salt has 16 bytes"):
        answer_digest(b"salt", {})
    assert answer_digest(bytes(16), {}) != answer_digest(bytes(15) + b"\x01", {})
    assert group_root([]) == EMPTY_ROOT.hex()


# --- trust files ----------------------------------------------------------------------------------

BASE = trust_text(LOG.verifier, KEY.public_key())


def witness(number: int) -> NoteVerifier:
    return CosignatureSigner(f"w{number}", Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32), 0).verifier


WITNESSES = "".join(f"witness W{number} {witness(number).vkey}\n" for number in range(1, 6))


def test_a_trust_file_is_read_back():
    trust = Trust.parse(f"# 青岛\n\n \t\n{BASE}".encode())
    assert trust.logs == (LOG.verifier,)
    assert list(trust.envelopes) == [key_id_of(KEY.public_key())]
    assert all(isinstance(key, Ed25519PublicKey) for key in trust.envelopes.values())
    assert trust.quorum is None
    assert trust.reached_by(set())


def test_groups_of_groups():
    """The example of tlog-policy: two of three X, and any Y."""
    text = BASE + WITNESSES + "group X 2 W1 W2 W3\ngroup Y any W4 W5\ngroup XY all X Y\nquorum XY\n"
    trust = Trust.parse(text.encode())
    assert trust.reached_by({"W1", "W3", "W5"})
    assert not trust.reached_by({"W1", "W4", "W5"})
    assert not trust.reached_by({"W1", "W2", "W3"})
    assert not trust.reached_by(set())
    assert Trust.parse((BASE + WITNESSES + "quorum W2\n").encode()).reached_by({"W2"})
    assert Trust.parse((BASE + WITNESSES + "quorum none\n").encode()).quorum is None
    # Where nobody verifies by it nobody is deceived.
    assert Trust.parse((BASE + WITNESSES + "group G any W1\n").encode(), published=True).quorum is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"log {LOG.vkey}\n",
        BASE.split("\n")[1] + "\n",
        BASE + "trust everyone\n",
        BASE + BASE,
        BASE.replace("\n", "\r\n"),
        BASE + f"witness W {LOG.vkey}\n",
        BASE + f"log {witness(1).vkey}\n",
        BASE + f"witness none {witness(1).vkey}\n",
        BASE + f"witness A {witness(1).vkey}\nwitness A {witness(2).vkey}\n",
        BASE + f"witness A {witness(1).vkey}\nwitness B {witness(1).vkey}\n",
        BASE + f"witness A {CosignatureSigner('self', KEY, 0).verifier.vkey}\n",
        BASE + "quorum W1\n",
        BASE + "quorum none\nquorum none\n",
        BASE + WITNESSES + "group G any W1\n",
        BASE + WITNESSES + "group G 0 W1\nquorum none\n",
        BASE + WITNESSES + "group G 3 W1 W2\nquorum none\n",
        BASE + WITNESSES + "group G any\nquorum none\n",
        BASE + WITNESSES + "group G any W1 W1\nquorum none\n",
        BASE + WITNESSES + "group G any W1\ngroup H any W1\nquorum none\n",
        BASE + WITNESSES + "group G any H\ngroup H any W1\nquorum none\n",
        BASE + WITNESSES + "group W1 any W2\nquorum none\n",
        BASE + WITNESSES + "group G some W1\nquorum none\n",
        BASE.replace("ed25519:", "ed25519:0"),
        BASE + "envelope x AAAA\n",
        "\x00",
        "#" * (256 * 1024 + 1),
    ],
)
def test_an_odd_trust_file_is_refused(text: str):
    with pytest.raises(Unsound) as caught:
        Trust.parse(text.encode())
    assert caught.value.problem.code == "trust-malformed"


# --- verdicts -------------------------------------------------------------------------------------


def test_every_problem_speaks_both_languages():
    class AnyFact(dict[str, str]):
        def __missing__(self, name: str) -> str:
            return name

    for english, chinese in PROBLEMS.values():
        facts = AnyFact()
        assert english.format_map(facts).endswith(".")
        assert chinese.format_map(facts).endswith("。")


def test_foreign_text_in_a_problem_is_printable_and_short():
    shown = Problem("envelope-foreign", {"key": "\x1b[31m" + "x" * 10_000 + "\ud800"}).message("en")
    assert shown.isprintable()
    assert len(shown) < 200


def test_too_large_is_a_verdict():
    verdict = verify(bytes(300_000), Trust.parse(BASE.encode()))
    assert [problem.code for problem in verdict.problems] == ["certificate-too-large"]
    assert [step.outcome for step in verdict.steps] == [Outcome.FAILED, *[Outcome.NOT_REACHED] * 8]


def test_even_a_broken_trust_object_gives_a_verdict():
    """The last wall: whatever goes wrong inside is not valid, and is no exception."""
    verdict = verify(b"", None)  # type: ignore[arg-type]
    assert not verdict.valid
    hollow = Trust((None,), {})  # type: ignore[arg-type]
    note = sign(Checkpoint("example.com/log", 1, bytes(32)).text(), [LOG])
    file = b"c2sp.org/tlog-proof@v1\nextra AAAA\nindex 0\n\n" + note
    assert [problem.code for problem in verify(file, hollow).problems] == ["not-understood"]
