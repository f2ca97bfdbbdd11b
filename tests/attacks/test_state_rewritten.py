# SPDX-License-Identifier: Apache-2.0
"""Who can write the state file and nothing else: whatever he gives himself, the audit says which row the log denies.

The keys are in other files, so he signs no entry; what he can do is edit, add and delete rows of every other table.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from django.apps import apps
from django.db import connection, transaction

from lib.pier import CITIZEN_CREDIT, WAGES, Pier, released
from lib.town import codes, done
from zhanqiao.agreements import grants, lifecycle
from zhanqiao.agreements.seals import seal_statement, sign_seal
from zhanqiao.desk import damage
from zhanqiao.desk.audit import audit
from zhanqiao.desk.columns import check_columns
from zhanqiao.identity import consent_keys, register, residents
from zhanqiao.identity.directory import find_organisation, find_person
from zhanqiao.identity.keys import make_key, public_bytes
from zhanqiao.identity.people import Role
from zhanqiao.ledger.book import founding
from zhanqiao.ledger.dsse import key_id_of
from zhanqiao.ledger.entries import LedgerDamaged
from zhanqiao.ledger.rows import RowDamaged

COUNT = "SELECT district, count(*) AS people FROM pension_enrolment GROUP BY district"


@pytest.fixture
def busy(pier: Pier) -> Pier:
    """A deployment in which every kind of act has happened that changes a row."""
    book = pier.house.book
    released(pier.ask(COUNT))
    released(pier.decide(CITIZEN_CREDIT, WAGES[60].id, consent=pier.consent(CITIZEN_CREDIT, WAGES[60].id, uses=9)))
    pier.withdraw(pier.consent(CITIZEN_CREDIT, WAGES[61].id))
    done(lifecycle.suspend(book, pier.agreements["credit"], "bureau-officer"))
    done(lifecycle.suspend(book, pier.agreements["few"], "bureau-officer"))
    done(lifecycle.resume(book, pier.agreements["few"], "bureau-officer"))
    done(lifecycle.suspend(book, pier.agreements["few"], "hrss-officer"))
    done(lifecycle.terminate(book, pier.agreements["rival"], "bureau-officer"))
    done(register.take_role(book, "bureau-deputy", Role.SIGNATORY, "secadmin"))
    done(register.give_role(book, "bureau-deputy", Role.SIGNATORY, "secadmin"))
    done(register.replace_key(book, "rival-officer", public_bytes(make_key()), "sysadmin"))
    done(register.dismiss(book, "rival-signatory", "sysadmin"))
    done(residents.leave(book, "rival", "first-assessor"))
    assert consent_keys.revoke_consent_key(book, "own", "secadmin") is None
    return pier


def rewrite(statement: str, *values: object) -> None:
    with founding():
        write(statement, *values)


def write(statement: str, *values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        assert cursor.rowcount > 0, "the attack changes something"


def denied(pier: Pier, sentence: str) -> None:
    with pytest.raises(LedgerDamaged, match=sentence):
        audit(pier.house)


def test_what_people_did_is_what_the_log_tells(busy: Pier) -> None:
    assert audit(busy.house) == busy.house.book.size


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("UPDATE identity_organisation SET admission = 'resident' WHERE id = 'rival'", "organisation rival"),
        ("UPDATE identity_organisation SET kind = 'authority' WHERE id = 'bank'", "organisation bank"),
        ("UPDATE identity_organisation SET assessed_by = NULL WHERE id = 'bank'", "organisation bank"),
        ("UPDATE identity_person SET active = 1 WHERE id = 'rival-signatory'", "person rival-signatory"),
        ("UPDATE identity_person SET organisation_id = 'bureau' WHERE id = 'bank-officer'", "person bank-officer"),
        (
            "INSERT INTO identity_role (person_id, role) VALUES ('bank-analyst', 'signatory')",
            "the roles of bank-analyst",
        ),
        ("DELETE FROM identity_role WHERE person_id = 'auditor'", "the roles of auditor"),
        ("UPDATE identity_key SET person_id = 'bank-officer' WHERE person_id = 'bank-analyst'", "key ed25519:"),
        ("UPDATE identity_key SET public = randomblob(32) WHERE person_id = 'bank-signatory'", "key ed25519:"),
        ("UPDATE identity_key SET until = NULL WHERE until IS NOT NULL", "key ed25519:"),
        ("UPDATE identity_consent_key SET revoked = NULL WHERE issuer = 'own'", "consent key own"),
        ("UPDATE identity_consent_key SET public = randomblob(32) WHERE issuer = 'app'", "consent key app"),
        ("UPDATE agreements_agreement SET kept = '0301' WHERE kept = '06'", "agreement C"),
        ("UPDATE agreements_agreement SET spent = 0 WHERE spent > 0", "agreement C"),
        ("UPDATE agreements_agreement SET filed = 1 - filed", "agreement C"),
        ("DELETE FROM agreements_hold", "the suspension of C"),
        ("UPDATE agreements_hold SET whole = 0 WHERE whole = 1", "the suspension of C"),
        ("UPDATE agreements_seal SET signature = randomblob(64)", "the seal of C"),
        ("UPDATE agreements_consent SET used = 0 WHERE used > 0", "consent app "),
        ("UPDATE agreements_consent SET withdrawn = NULL WHERE withdrawn IS NOT NULL", "consent app "),
        ("DELETE FROM agreements_consent", "consent app "),
        ("UPDATE catalogue_standing SET snapshot_id = NULL WHERE dataset = 'firm_turnover'", "dataset firm_turnover"),
        ("UPDATE catalogue_high_water SET count = 0", "high-water mark "),
        ("UPDATE catalogue_snapshot SET segments = '[]' WHERE dataset = 'firm_turnover'", "snapshot "),
        # Of which files a delivery is made: emptied, each could be appended once more.
        ("UPDATE catalogue_snapshot SET files = '[]' WHERE dataset = 'firm_turnover'", "snapshot "),
    ],
)
def test_a_row_is_rewritten(busy: Pier, statement: str, sentence: str) -> None:
    rewrite(statement)
    denied(busy, sentence)


def test_a_whole_agreement_is_sealed_by_keys_that_nobody_registered(pier: Pier) -> None:
    """Two new keys in the register make seals that verify: this is the one forgery that opens a grant until an audit."""
    agreement = pier.agreements["few"]
    digest = done(lifecycle.show(agreement, pier.house.clock())).digest
    for seal in done(lifecycle.show(agreement, pier.house.clock())).seals:
        key = make_key()
        public = public_bytes(key)
        signature = sign_seal(seal_statement(agreement, digest, seal.organisation, seal.person), key)
        rewrite("UPDATE identity_key SET id = %s, public = %s WHERE id = %s", key_id_of(public), public, seal.key)
        rewrite(
            "UPDATE agreements_seal SET key = %s, signature = %s WHERE agreement_id = %s AND person = %s",
            key_id_of(public), signature, agreement, seal.person,
        )  # fmt: skip
    assert grants.find_grant(agreement, pier.house.clock()) is not None
    denied(pier, "key ed25519:[0-9a-f]* is in the")


def test_an_agreement_is_put_under_another_residents_name(pier: Pier) -> None:
    agreement = pier.agreements["statistics"]
    rewrite("UPDATE agreements_agreement SET resident = 'rival' WHERE id = %s", agreement)
    assert not hasattr(pier.ask(COUNT, by="rival-analyst"), "answer"), "the sealed text names the other one"
    assert not hasattr(pier.ask(COUNT), "answer")


# --- every column -----------------------------------------------------------------------------------

# What the audit calls the rows of each table. A table that is missing here fails the test.
_CALLED = {
    "agreements_agreement": "agreement C|contract of C",
    "agreements_consent": "consent app ",
    "agreements_hold": "suspension of C",
    "agreements_seal": "seal of C",
    "catalogue_contract": "contract sha256:",
    "catalogue_high_water": "high-water mark ",
    "catalogue_snapshot": "snapshot ",
    "catalogue_standing": "dataset ",
    "django_migrations": "migration ",
    "identity_consent_key": "consent key ",
    "identity_evidence": "evidence of ",
    "identity_key": "key ed25519:",
    "identity_organisation": "organisation ",
    "identity_person": "person ",
    "identity_role": "roles of |role .* of ",
    "ledger_entry": "entry |envelope |request |rows are ",
    "ledger_head": "head",
    "ledger_request": "request ",
}
# What nothing tells: when, and as which number, Django applied a migration.
_UNTOLD = {("django_migrations", "id"), ("django_migrations", "applied")}
# Numbers that the state gives: they say an order, and nothing else.
_GIVEN = "BigAutoField"


def columns(table: str) -> dict[str, str]:
    """Return the kind of each column, as Django finds it in the file."""
    with connection.cursor() as cursor:
        found = connection.introspection.get_table_description(cursor, table)
        given = connection.introspection.get_primary_key_column(cursor, table)
    kinds = {one.name: str(connection.introspection.get_field_type(one.type_code, one)) for one in found}
    return {name: _GIVEN if name == given and kinds[name].endswith("AutoField") else kinds[name] for name in kinds}


def another(value: object, kind: str) -> object:
    match value, kind:
        case None, "DateTimeField":
            return "2026-11-25 09:00:00"
        case None, _:
            return 7 if "Integer" in kind else "other"
        case bytes(), _:
            return bytes([value[0] ^ 1]) + value[1:]
        case int(), "BooleanField":
            return 1 - value
        case int(), _:
            return value + 1
        case str(), "DateTimeField":
            return str(datetime.fromisoformat(value) + timedelta(days=400))
        case str(), "JSONField":
            return '["other"]'
        case _:
            return f"{str(value)[:-1]}{'y' if str(value).endswith('x') else 'x'}"


def edits(table: str) -> Iterator[tuple[str, str, tuple[object, ...]]]:
    """Yield edits of one row of each column, where there is one of a row without a value too, and deletions."""
    with connection.cursor() as cursor:
        for name, kind in columns(table).items():
            if (table, name) in _UNTOLD:
                continue
            if kind == _GIVEN:
                yield name, f'UPDATE {table} SET "{name}" = "{name}" + 1000 WHERE "{name}" = (SELECT min("{name}") FROM {table})', ()  # fmt: skip
                continue
            for found in ("IS NOT NULL", "IS NULL"):
                cursor.execute(f'SELECT rowid, "{name}" FROM {table} WHERE "{name}" {found} ORDER BY rowid LIMIT 1')
                if (row := cursor.fetchone()) is not None:
                    new = another(row[1], kind)
                    yield name, f'UPDATE {table} SET "{name}" = %s WHERE rowid = %s', (new, row[0])
        for end in ("min", "max"):
            yield "-", f"DELETE FROM {table} WHERE rowid = (SELECT {end}(rowid) FROM {table})", ()


# --- every kind of value ----------------------------------------------------------------------------

_BYTES, _TEXT, _NO_DAY = b"\xff\x00", "zz", "2026-99-99 00:00:00"
# What SQLite keeps as it is given in a column that is for something else.
_STRAYS: dict[str, tuple[object, ...]] = {
    "BigIntegerField": (_TEXT, _BYTES),
    "BinaryField": (_TEXT, 7),
    "BooleanField": (_TEXT, _BYTES, -1),
    "CharField": (_BYTES,),
    "DateTimeField": (_TEXT, _BYTES, -1, _NO_DAY),
    "JSONField": (_BYTES,),
    "TextField": (_BYTES,),
}
# Entries are judged as they are read; migrations are read by Django.
_READ_OTHERWISE = {"ledger_entry", "django_migrations"}


def test_a_value_of_another_kind_is_named_by_its_column(busy: Pier) -> None:
    """The doors may read it as nothing where SQL reads it as something: then they and the audit see two rows."""
    every = [(table, *each) for table in _CALLED.keys() - _READ_OTHERWISE for each in columns(table).items()]
    strays = [(table, column, stray) for table, column, kind in every for stray in _STRAYS.get(kind, ())]
    assert len(strays) > 100
    for table, column, stray in strays:
        with founding(), checks_ignored(), transaction.atomic():
            write(f'UPDATE {table} SET "{column}" = %s WHERE rowid = (SELECT min(rowid) FROM {table})', stray)
            with pytest.raises(LedgerDamaged, match=rf"{table}, row .*: column {column} "):
                check_columns()
            transaction.set_rollback(True)
    check_columns()


@contextmanager
def checks_ignored() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA ignore_check_constraints = ON")
        yield
        cursor.execute("PRAGMA ignore_check_constraints = OFF")


def test_doors_say_what_they_cannot_read(busy: Pier) -> None:
    doors: dict[str, Callable[[], object]] = {
        "identity_key SET until = 'zz' WHERE person_id = 'bank-analyst'": lambda: find_person("bank-analyst"),
        "identity_key SET public = 'zz' WHERE person_id = 'bank-analyst'": lambda: find_person("bank-analyst"),
        "identity_organisation SET kind = 'zz' WHERE id = 'bank'": lambda: find_organisation("bank"),
        "identity_consent_key SET subject_kind = 'zz'": lambda: consent_keys.find_consent_key("app"),
        "agreements_agreement SET contract = 'zz'": lambda: lifecycle.listing(datetime.now(UTC)),
        "agreements_agreement SET kept = 'zz'": lambda: lifecycle.listing(datetime.now(UTC)),
    }
    for statement, door in doors.items():
        with founding(), transaction.atomic():
            write(f"UPDATE {statement}")
            with pytest.raises(RowDamaged) as damaged:
                door()
            assert codes(damage.named(damaged.value)) == ["state-damaged"]
            denied(busy, "couldn't audit: ")
            transaction.set_rollback(True)


def test_no_table_is_forgotten(busy: Pier) -> None:
    tables = {model._meta.db_table for model in apps.get_models()} | {"django_migrations"}
    assert set(connection.introspection.table_names()) == tables == set(_CALLED)


@pytest.mark.parametrize("table", sorted(_CALLED))
def test_no_column_is_rewritten_and_no_row_deleted_unseen(busy: Pier, table: str) -> None:
    silent = []
    for column, statement, values in edits(table):
        with founding(), transaction.atomic():
            write(statement, *values)
            try:
                audit(busy.house)
                silent.append((column, statement, values))
            except LedgerDamaged as damage:
                if not re.search(f"{_CALLED[table]}|{table}, row", str(damage)):
                    silent.append((column, statement, values, damage))
            transaction.set_rollback(True)
    assert not silent
