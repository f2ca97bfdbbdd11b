# SPDX-License-Identifier: Apache-2.0
"""The vault runs permits: load, build, answer, evidence, roster; and nothing that does not fit its permit."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from lib.vault_cases import (
    BY_PERSON,
    CUBE,
    ENGINES,
    NOW,
    TRACED,
    answer_permit,
    batch,
    build_permit,
    dataset,
    engine,
    evidence_permit,
    identities_of,
    keyring,
    load_permit,
    nothing_recorded,
    row,
    statement,
    swept,
)
from zhanqiao.policy.ir import Compare, Operator
from zhanqiao.terms.services import Evidence, Operation, Trace
from zhanqiao.terms.subjects import Subject, SubjectKind
from zhanqiao.vault.faults import KeyFault, VaultFault
from zhanqiao.vault.keys import Sealed
from zhanqiao.vault.vault import Vault

ID, OTHER, STRANGER = "370202194910010018", "37020219491001002X", "370202195001010011"
AT = NOW.date()
PERSON = Subject(SubjectKind.PERSON, ID)


@pytest.fixture(params=ENGINES)
def vault(request, tmp_path):
    """A vault whose published snapshots a test keeps in `vault.shelf`."""
    shelf: dict[tuple[str, str], tuple[str, ...]] = {}
    opened = Vault(
        tmp_path / "vault",
        keyring(tmp_path),
        lambda: NOW,
        engine=engine(request.param, tmp_path),
        published=lambda name, snapshot: shelf.get((name, snapshot), ()),
        recorded=nothing_recorded,
    )
    opened.shelf = shelf
    return opened


def publish(vault, described, rows, snapshot="s1", before=()):
    segment = vault.load(load_permit(described, snapshot), described, [batch(described, rows)])
    segments = (*before, segment)
    for build in (*described.cubes, *([described.latest] if described.latest else [])):
        vault.build(build_permit(described, build, snapshot), described, segments)
    vault.shelf[described.name, snapshot] = segments
    return segments


def people(size, start=0, **more):
    return [row(start + step, **more) for step in range(size)]


# --- statistics -------------------------------------------------------------------------------------


def test_a_statement_is_answered_from_its_snapshot(vault):
    rows = people(12, district="市南区", birth_year=1950, wage=Decimal("10.50")) + people(12, 12, district="A")
    publish(vault, BY_PERSON, rows)
    publish(vault, BY_PERSON, rows[:12], "s2")
    answer = vault.run(answer_permit(statement(["district"], None, "wage")), BY_PERSON).table
    assert answer.to_pylist() == [
        {"district": "A", "rows": 12, "sum_wage": None, "n_wage": 0},
        {"district": "市南区", "rows": 12, "sum_wage": Decimal("126.00"), "n_wage": 12},
    ]
    later = vault.run(answer_permit(statement(["district"]), "s2"), BY_PERSON).table
    assert later.to_pylist() == [{"district": "市南区", "rows": 12}]


def test_answers_stand_in_public_order_with_the_remainder_last(vault):
    rows = [one for n, name in enumerate(["b", None, "a", "Z", "市"]) for one in people(12, 20 * n, district=name)]
    publish(vault, BY_PERSON, rows)
    answer = vault.run(answer_permit(statement(["district"])), BY_PERSON).table
    assert answer["district"].to_pylist() == ["Z", "a", "b", "市", None]


def test_an_empty_cube_answers_with_no_row(vault):
    publish(vault, BY_PERSON, people(9, district="A", birth_year=1950))
    assert vault.run(answer_permit(statement(["district"], None, "wage")), BY_PERSON).table.to_pylist() == []
    assert vault.run(answer_permit(statement()), BY_PERSON).table.to_pylist() == []


def test_a_cube_of_another_snapshot_does_not_answer(vault, tmp_path):
    publish(vault, BY_PERSON, people(12, district="A", birth_year=1950))
    with pytest.raises(VaultFault, match="was not built for this snapshot"):
        vault.run(answer_permit(statement(), "s9"), BY_PERSON)
    states = tmp_path / "vault" / "states" / "employment"
    (states / "s9").mkdir()
    (states / "s9" / "cube-by_district_year.sealed").write_bytes(
        (states / "s1" / "cube-by_district_year.sealed").read_bytes()
    )
    with pytest.raises(KeyFault, match="out of its place"):
        vault.run(answer_permit(statement(), "s9"), BY_PERSON)


def test_a_build_that_is_repeated_finds_itself_done(vault):
    rows = people(12, district="A", birth_year=1950)
    segments = publish(vault, BY_PERSON, rows)
    vault.build(build_permit(BY_PERSON, CUBE), BY_PERSON, segments)
    more = vault.load(load_permit(BY_PERSON), BY_PERSON, [batch(BY_PERSON, people(30, 50, district="B"))])
    with pytest.raises(VaultFault, match="another one was built"):
        vault.build(build_permit(BY_PERSON, CUBE), BY_PERSON, [*segments, more])


# --- what does not fit its permit ---------------------------------------------------------------------


def test_an_expired_permit_runs_nothing(vault):
    publish(vault, BY_PERSON, people(12, district="A", birth_year=1950))
    late = {"expires": NOW}
    with pytest.raises(VaultFault, match="the permit has expired"):
        vault.run(answer_permit(statement(), **late), BY_PERSON)
    with pytest.raises(VaultFault, match="the permit has expired"):
        vault.load(load_permit(BY_PERSON, **late), BY_PERSON, [])
    assert vault.run(answer_permit(statement(), expires=NOW + timedelta(seconds=1)), BY_PERSON).table.num_rows == 1


def test_a_permit_is_for_one_thing(vault):
    other = dataset("uscc", name="other", digest="sha256:" + "1" * 64)
    with pytest.raises(VaultFault, match="another dataset or contract version"):
        vault.load(load_permit(BY_PERSON), other, [])
    with pytest.raises(VaultFault, match="another dataset or contract version"):
        vault.load(load_permit(BY_PERSON, contract_digest="sha256:old"), BY_PERSON, [])
    with pytest.raises(VaultFault, match="only permits"):
        vault.run(load_permit(BY_PERSON), BY_PERSON)
    with pytest.raises(VaultFault, match="only permits"):
        vault.load(answer_permit(statement()), BY_PERSON, [])
    with pytest.raises(VaultFault, match="for another dataset"):
        vault.run(answer_permit(statement()), other)
    with pytest.raises(VaultFault, match="for another dataset"):
        vault.build(build_permit(BY_PERSON, CUBE), other, [])


def test_segments_must_be_of_the_permits_snapshot(vault):
    segments = publish(vault, BY_PERSON, people(12, district="A", birth_year=1950))
    for wrong in ([], ["other/s2-1"], [*segments, "other/s2-1"]):
        with pytest.raises(VaultFault, match="not those of the permit's snapshot"):
            vault.build(build_permit(BY_PERSON, CUBE, "s2"), BY_PERSON, wrong)
    vault.shelf["employment", "s1"] = ("employment/s2-1",)
    with pytest.raises(VaultFault, match="not those of the permit's snapshot"):
        vault.evidence(
            evidence_permit([ANY], subject=vault.subject_digest(PERSON)), {"employment": BY_PERSON}, PERSON, AT
        )


# --- evidence ---------------------------------------------------------------------------------------

ANY = Evidence("any", "employment", Operation.EXISTS)


def evidence(name, operation, **more):
    return Evidence(name, "employment", operation, **more)


@pytest.fixture
def known(vault):
    """Two persons with rows; what the test asks about them."""
    numbers = vault._subjects.numbers(SubjectKind.PERSON, [ID, OTHER], allocate=True).tolist()
    rows = [
        row(numbers[0], district="A", wage=Decimal("100.10"), months=3, settled_on=date(2026, 11, 25), insured=True),
        row(numbers[0], district="B", wage=Decimal("200.20"), months=None, settled_on=date(2025, 11, 26)),
        row(numbers[0], district="C", wage=None, months=5, settled_on=date(2025, 11, 25), insured=False),
        row(numbers[0], district="D", wage=Decimal("0.01"), months=7),
        row(numbers[0], district="E", wage=Decimal("1.00"), settled_on=date(2026, 11, 26)),
        row(numbers[1], district="A", wage=Decimal("9.00"), settled_on=date(2020, 2, 29)),
    ]
    publish(vault, BY_PERSON, rows)

    def ask(*asked, who=ID, at=AT):
        subject = Subject(SubjectKind.PERSON, who)
        permit = evidence_permit(asked, subject=vault.subject_digest(subject))
        return vault.evidence(permit, {"employment": BY_PERSON}, subject, at)

    return ask


@pytest.mark.parametrize(
    ("asked", "value"),
    [
        (evidence("e", Operation.EXISTS), True),
        (evidence("e", Operation.EXISTS, where=(("district", ("Z",)),)), False),
        (evidence("e", Operation.COUNT), 5),
        (evidence("e", Operation.COUNT, where=(("district", ("A", "B", "Z")),)), 2),
        (evidence("e", Operation.COUNT, where=(("insured", ("true",)),)), 1),
        (evidence("e", Operation.COUNT, where=(("months", ("5", "7")), ("insured", ("false",)))), 1),
        # The last twelve months: after the same day a year ago, up to today. Tomorrow is not in it.
        (evidence("e", Operation.COUNT, date_item="settled_on", window_months=12), 2),
        (evidence("e", Operation.COUNT, date_item="settled_on", window_months=13), 3),
        (evidence("e", Operation.SUM, item="wage"), Decimal("301.31")),
        (evidence("e", Operation.SUM, item="months"), Decimal(15)),
        (evidence("e", Operation.SUM, item="wage", date_item="settled_on", window_months=12), Decimal("300.30")),
        (evidence("e", Operation.SUM, item="wage", where=(("district", ("C",)),)), None),
        (evidence("e", Operation.NEWEST, item="district", date_item="settled_on"), "E"),
        (evidence("e", Operation.NEWEST, item="months", date_item="settled_on"), 3),
        (evidence("e", Operation.NEWEST, item="district", date_item="settled_on", window_months=12), "A"),
        (evidence("e", Operation.NEWEST, item="wage", date_item="settled_on", where=(("district", ("D",)),)), None),
        (evidence("e", Operation.LATEST_DATE, date_item="settled_on"), date(2026, 11, 26)),
        (evidence("e", Operation.LATEST_DATE, date_item="settled_on", where=(("district", ("D",)),)), None),
    ],
)
def test_evidence_is_a_figure_about_one_subject(known, asked, value):
    assert known(asked) == {"e": value}


@pytest.mark.parametrize(
    ("at", "months", "counts"),
    [
        (date(2021, 2, 28), 12, 1),  # after 2020-02-28
        (date(2021, 3, 1), 12, 0),  # after 2020-03-01
        (date(2020, 3, 29), 1, 0),  # after 2020-02-29
        (date(2020, 3, 28), 1, 1),
        (date(2020, 5, 31), 3, 0),  # after 2020-02-29: the last day of a shorter month
        (date(2020, 5, 28), 3, 1),
    ],
)
def test_windows_are_counted_from_the_moment(known, at, months, counts):
    asked = evidence("n", Operation.COUNT, date_item="settled_on", window_months=months)
    assert known(asked, who=OTHER, at=at) == {"n": counts}


def test_several_pieces_of_evidence_at_once(known):
    assert known(evidence("a", Operation.COUNT), evidence("b", Operation.EXISTS), who=OTHER) == {"a": 1, "b": True}


def test_who_is_not_known_has_no_evidence(known, vault):
    assert known(ANY, who=STRANGER) is None
    with pytest.raises(VaultFault, match="another kind of subject"):
        vault.evidence(evidence_permit([ANY]), {"employment": BY_PERSON}, Subject(SubjectKind.ENTERPRISE, ID), AT)


def test_only_the_permits_snapshots_are_read(known, vault):
    with pytest.raises(VaultFault, match="names no snapshot of elsewhere"):
        known(Evidence("x", "elsewhere", Operation.EXISTS))
    permit = evidence_permit([ANY], subject=vault.subject_digest(PERSON), employment="s2")
    with pytest.raises(VaultFault, match="not those of the permit's snapshot"):
        vault.evidence(permit, {"employment": BY_PERSON}, PERSON, AT)


# --- traces and rosters -------------------------------------------------------------------------------


@pytest.fixture
def certified(vault):
    """A roster of two (one no longer drawing), traces of both and of a stranger to the roster."""
    ids = [ID, OTHER, STRANGER]
    numbers = vault._subjects.numbers(SubjectKind.PERSON, ids, allocate=True).tolist()
    roster = dataset("uscc", name="pension_roster")
    publish(vault, roster, [row(numbers[0], insured=True), row(numbers[1], insured=False)])
    publish(
        vault,
        TRACED,
        [
            row(numbers[0], settled_on=date(2026, 3, 1)),
            row(numbers[0], settled_on=date(2026, 2, 1)),
            row(numbers[1], settled_on=date(1950, 1, 1)),
            row(numbers[2], settled_on=date(2026, 5, 1)),
            row(numbers[2]),
        ],
    )
    datasets = {"pension_roster": roster, TRACED.name: TRACED}

    def permit(where=(), snapshot="s1", about=None):
        return evidence_permit(
            traces=[Trace(TRACED.name, "medical")],
            roster="pension_roster",
            roster_where=where,
            subject=about,
            pension_roster="s1",
            **{TRACED.name: snapshot},
        )

    vault.datasets, vault.permit, vault.numbers = datasets, permit, numbers
    return vault


def test_a_trace_is_the_newest_date_of_whoever_is_on_the_roster(certified):
    vault = certified

    def ask(who, where=()):
        subject = Subject(SubjectKind.PERSON, who)
        permit = vault.permit(where, about=vault.subject_digest(subject))
        return vault.evidence(permit, vault.datasets, subject, AT)

    assert ask(ID) == {TRACED.name: date(2026, 3, 1)}
    # What is older than the calendar of the state is kept as its first day: a trace is never lost.
    assert ask(OTHER) == {TRACED.name: date(1970, 1, 2)}
    assert ask(STRANGER) is None
    assert ask(OTHER, (("insured", ("true",)),)) is None
    assert ask(ID, (("insured", ("true",)),)) == {TRACED.name: date(2026, 3, 1)}


def listed(vault, permit, ids):
    found = vault.roster_evidence(permit, vault.datasets, SubjectKind.PERSON, ids, AT)
    return [found.of(place) for place in range(len(found))]


def test_a_list_is_answered_in_its_order(certified):
    vault = certified
    ids = [STRANGER, ID, "nobody", OTHER, ID]
    assert listed(vault, vault.permit(), ids) == [
        None,
        {TRACED.name: date(2026, 3, 1)},
        None,
        {TRACED.name: date(1970, 1, 2)},
        {TRACED.name: date(2026, 3, 1)},
    ]
    with pytest.raises(VaultFault, match="another kind"):
        vault.roster_evidence(vault.permit(), vault.datasets, SubjectKind.ENTERPRISE, ids, AT)


def test_what_rows_say_stands_beside_the_traces_of_a_list(certified):
    vault = certified
    seen = Evidence("seen", TRACED.name, Operation.COUNT, date_item="settled_on")

    def permit(about=None):
        return evidence_permit(
            [seen],
            traces=[Trace(TRACED.name, "medical")],
            roster="pension_roster",
            subject=about,
            **dict.fromkeys(vault.datasets, "s1"),
        )

    ids = [OTHER, STRANGER, ID]
    subjects = [Subject(SubjectKind.PERSON, who) for who in ids]
    alone = [vault.evidence(permit(vault.subject_digest(who)), vault.datasets, who, AT) for who in subjects]
    assert listed(vault, permit(), ids) == alone
    assert alone == [
        {"seen": 1, TRACED.name: date(1970, 1, 2)},
        None,
        {"seen": 2, TRACED.name: date(2026, 3, 1)},
    ]


def test_appended_traces_are_merged_into_what_stands(certified):
    vault = certified
    more = [row(vault.numbers[0], settled_on=date(2026, 2, 15)), row(vault.numbers[1], settled_on=date(2026, 6, 1))]
    segment = vault.load(load_permit(TRACED, "s2"), TRACED, [batch(TRACED, more)])
    vault.build(build_permit(TRACED, "settled_on", "s2"), TRACED, [segment], onto="s1")
    permit = vault.permit(snapshot="s2")
    assert listed(vault, permit, [ID, OTHER]) == [{TRACED.name: date(2026, 3, 1)}, {TRACED.name: date(2026, 6, 1)}]
    # The same as from all the segments at once.
    all_segments = (*vault.shelf[TRACED.name, "s1"], segment)
    vault.build(build_permit(TRACED, "settled_on", "s2"), TRACED, all_segments)
    with pytest.raises(VaultFault, match="another one was built"):
        vault.build(build_permit(TRACED, "settled_on", "s2"), TRACED, [segment])


def append(vault, snapshot, onto, rows):
    segment = vault.load(load_permit(TRACED, snapshot), TRACED, [batch(TRACED, rows)])
    vault.build(build_permit(TRACED, "settled_on", snapshot), TRACED, [segment], onto=onto)


def newest_files(folder, snapshot):
    return [path.name for path in (folder / "vault" / "states" / TRACED.name / snapshot).glob("newe*")]


def test_a_small_delivery_is_kept_as_changes_until_they_are_many(certified, tmp_path):
    vault = certified
    publish(vault, TRACED, people(400, settled_on=date(2026, 1, 1)), "t1")
    append(vault, "t2", "t1", people(20, settled_on=date(2026, 1, 2)))
    append(vault, "t3", "t2", people(5, 10, settled_on=date(2026, 1, 3)))
    append(vault, "t4", "t3", people(40, 300, settled_on=date(2026, 1, 4)))
    forms = [newest_files(tmp_path, snapshot) for snapshot in ("t1", "t2", "t3", "t4")]
    assert forms == [["newest-settled_on.sealed"], *2 * [["newer-settled_on.sealed"]], ["newest-settled_on.sealed"]]
    ids = [ID, OTHER, STRANGER]
    for snapshot in ("t2", "t4"):
        permit = vault.permit(snapshot=snapshot)
        assert listed(vault, permit, ids) == [*2 * [{TRACED.name: date(2026, 1, 2)}], None]


def test_changes_name_what_they_stand_on_when_it_is_missing(certified, tmp_path):
    vault = certified
    publish(vault, TRACED, people(400, settled_on=date(2026, 1, 1)), "t1")
    append(vault, "t2", "t1", people(5, settled_on=date(2026, 1, 2)))
    (tmp_path / "vault" / "states" / TRACED.name / "t1" / "newest-settled_on.sealed").unlink()
    for use in (
        lambda: listed(vault, vault.permit(snapshot="t2"), [ID]),
        lambda: append(vault, "t3", "t2", people(5)),
        lambda: append(vault, "t3", "never", people(5)),
    ):
        with pytest.raises(
            VaultFault, match=r"newest settled_on of medical_settlement: (t1|never), on which it stands"
        ):
            use()
    assert not newest_files(tmp_path, "t3")


def test_changes_of_another_snapshot_do_not_open(certified, tmp_path):
    vault = certified
    publish(vault, TRACED, people(400, settled_on=date(2026, 1, 1)), "t1")
    append(vault, "t2", "t1", people(5, settled_on=date(2026, 1, 2)))
    states = tmp_path / "vault" / "states" / TRACED.name
    (states / "s9").mkdir()
    (states / "t2" / "newer-settled_on.sealed").rename(states / "s9" / "newer-settled_on.sealed")
    with pytest.raises(KeyFault, match="out of its place"):
        listed(vault, vault.permit(snapshot="s9"), [ID])


# --- sealed things, identities ------------------------------------------------------------------------


def test_memos_open_for_their_purpose_and_place(vault):
    sealed = vault.seal(Sealed.MEMO, b"answer", b"request-1")
    assert vault.open(Sealed.MEMO, sealed, b"request-1") == b"answer"
    for what, place in ((Sealed.BAD_ROWS, b"request-1"), (Sealed.MEMO, b"request-2")):
        with pytest.raises(KeyFault):
            vault.open(what, sealed, place)
    for purpose in ("tokens", "segments", "identities"):
        with pytest.raises(ValueError, match="not a valid Sealed"):
            vault.open(purpose, sealed, b"request-1")
    assert vault.commitment(b"x") == vault.commitment(b"x") != vault.commitment(b"y")
    assert vault.commitment(b"x") != vault.question_digest(b"x"), "the auditor's key opens no question"


def test_identities_are_kept_apart(vault, tmp_path):
    import pyarrow as pa

    numbers = vault._subjects.numbers(SubjectKind.PERSON, [ID, "nobody"], allocate=True)
    vault._identities.put(SubjectKind.PERSON, numbers, pa.table({"full_name": ["王秀英", "不存在"], "tel": ["1", "2"]}))
    vault._identities.put(SubjectKind.PERSON, numbers[:1], pa.table({"tel": ["3"], "address": [None]}))
    assert identities_of(vault, SubjectKind.PERSON, int(numbers[0])) == {"full_name": "王秀英", "tel": "3"}
    assert identities_of(vault, SubjectKind.PERSON, -1) == {}
    for path in (tmp_path / "vault" / "identities").rglob("*.sealed"):
        assert "王秀英".encode() not in path.read_bytes()
    with pytest.raises(VaultFault, match="differ in count"):
        vault._identities.put(SubjectKind.PERSON, numbers, pa.table({"tel": ["3"]}))


def test_what_no_state_knows_is_swept(vault, tmp_path):
    segments = publish(vault, BY_PERSON, people(12, district="A", birth_year=1950))
    lost = vault.load(load_permit(BY_PERSON, "s2"), BY_PERSON, [])
    vault.build(build_permit(BY_PERSON, CUBE, "s2"), BY_PERSON, [lost])
    (tmp_path / "vault" / "states" / "half.part").write_bytes(b"")
    (tmp_path / "vault" / "scratch" / "spill-1").mkdir(parents=True)
    gone = swept(vault, {*segments, "s1"})
    assert {f"segments/{lost}", "states/employment/s2", "states/half.part", "scratch/spill-1"} == set(gone)
    assert vault.run(answer_permit(statement()), BY_PERSON).table.num_rows == 1
    assert swept(vault, {*segments, "s1"}) == []
    assert vault.run(answer_permit(statement((), Compare("district", Operator.EQ, "A"))), BY_PERSON).table.num_rows == 1


def test_a_superseded_snapshot_is_dropped_and_the_published_one_stays(vault):
    """Nothing that the current publication is made of is dropped: not itself, nor what it was appended to."""
    (old,) = publish(vault, BY_PERSON, people(12, district="A", birth_year=1950))
    (new,) = publish(vault, BY_PERSON, people(15, district="A", birth_year=1950), "s2")
    _, grown = publish(vault, BY_PERSON, people(15, 20, district="A", birth_year=1950), "s3", (new,))
    staying = {"s3": (new, grown)}
    with vault.alone(wait=False) as alone:
        assert alone.held(BY_PERSON.name) == {"s1", "s2", "s3"}
        for used in ("s2", "s3"):
            with pytest.raises(VaultFault, match=f"couldn't drop {used}: a snapshot that stays"):
                alone.drop(BY_PERSON.name, used, staying)
        assert alone.drop(BY_PERSON.name, "s1", staying) == [f"segments/{old}", "states/employment/s1"]
        assert alone.drop(BY_PERSON.name, "s1", staying) == []
        assert alone.held(BY_PERSON.name) == {"s2", "s3"}
    with pytest.raises(VaultFault, match="was not built"):
        vault.run(answer_permit(statement()), BY_PERSON)
    assert vault.run(answer_permit(statement(), "s3"), BY_PERSON).table["rows"].to_pylist() == [30]


def test_newest_dates_on_which_others_stand_are_not_dropped(certified):
    vault = certified
    publish(vault, TRACED, people(400, settled_on=date(2026, 1, 1)), "t1")
    append(vault, "t2", "t1", people(5, settled_on=date(2026, 1, 2)))
    with vault.alone(wait=False) as alone:
        with pytest.raises(VaultFault, match="couldn't drop t1"):
            alone.drop(TRACED.name, "t1", {"t2": ()})
        assert alone.drop(TRACED.name, "s1", {"t2": ()})


def test_nothing_is_dropped_while_somebody_reads(vault):
    with vault.inside(), vault.alone(wait=False) as alone:
        assert alone is None
