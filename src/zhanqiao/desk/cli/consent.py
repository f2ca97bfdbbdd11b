# SPDX-License-Identifier: Apache-2.0
"""`zhanqiao consent`: keys that sign consents, a consent as a subject's app makes it, what became of it, its end.

Giving a consent writes nothing here: it is the subject's signature over who may use what, for which purpose, how often
and until when. The platform learns of it when it is used or withdrawn, and never whose it is.
"""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from zhanqiao.agreements import consents
from zhanqiao.agreements.consents import Consent
from zhanqiao.catalogue import shelf
from zhanqiao.desk.cli.given import id_from_input, text_of
from zhanqiao.desk.cli.names import joined
from zhanqiao.desk.cli.output import DONE_MARK, FdOption, show_data
from zhanqiao.desk.cli.people import PublicOption
from zhanqiao.desk.cli.session import Call, command, open_key
from zhanqiao.desk.scenarios import service_named
from zhanqiao.identity import consent_keys
from zhanqiao.identity.consent_keys import SALT_BYTES, ConsentKey, issuer_with
from zhanqiao.identity.directory import find_organisation
from zhanqiao.identity.keys import parse_public, public_bytes
from zhanqiao.ledger import durable
from zhanqiao.policy import decide
from zhanqiao.terms.subjects import Subject, SubjectKind

app = typer.Typer(no_args_is_help=True, help="Consents of subjects, and the keys that sign them. 数据主体的同意。")

IssuerArgument = Annotated[str, typer.Argument(help="The name under which the key signs. 签署方编号。")]
FileArgument = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The signed consent. 同意书文件。")]


@command(app, acts=True)
def authority(
    call: Call,
    issuer: IssuerArgument,
    organisation: Annotated[str, typer.Option("--organisation", help="A department or the authority. 签署机构。")],
    public: PublicOption,
) -> None:
    """Let an organisation of the state sign consents that it takes from subjects. 登记同意签署机构。"""
    key = call.unwrap(parse_public(public))
    _show_key(
        call,
        call.unwrap(consent_keys.register_consent_authority(call.house.book, issuer, organisation, key, call.by)),
    )


@command(app, acts=True)
def subject(
    call: Call,
    issuer: IssuerArgument,
    kind: Annotated[SubjectKind, typer.Option("--kind", help="person or enterprise. 主体类型。")],
    public: PublicOption,
) -> None:
    """Let a subject sign its own consents; who it is comes by standard input as {"id": "..."}. 登记主体密钥。"""
    key = call.unwrap(parse_public(public))
    who = Subject(kind, call.unwrap(id_from_input()))
    salt = call.house.dice(SALT_BYTES)
    _show_key(
        call,
        call.unwrap(consent_keys.register_subject_key(call.house.book, issuer, who, key, call.by, salt=salt)),
    )


@command(app, acts=True)
def revoke(call: Call, issuer: IssuerArgument) -> None:
    """End a key, and with it every consent that it signed. 撤销签署密钥。"""
    call.done(consent_keys.revoke_consent_key(call.house.book, issuer, call.by))
    _show_status(call, "revoked", issuer, f"已撤销：{issuer}")


@command(app)
def give(
    call: Call,
    service: Annotated[str, typer.Argument(help="The service that may be asked. 服务名。")],
    recipient: Annotated[str, typer.Option("--recipient", help="Who may ask. 使用方。")],
    purpose: Annotated[str, typer.Option("--purpose", help="What for. 用途。")],
    key: Annotated[Path, typer.Option("--key", dir_okay=False, help="The key that signs. 签署密钥文件。")],
    out: Annotated[Path, typer.Option("--out", dir_okay=False, help="Where the consent goes. 同意书文件。")],
    days: Annotated[int, typer.Option("--days", min=1, max=consents.MAX_DAYS, help="How long. 有效天数。")] = 30,
    uses: Annotated[int, typer.Option("--uses", min=1, max=1_000_000, help="How often. 使用次数。")] = 1,
    warned: Annotated[
        bool, typer.Option("--warned", help="Adverse effects were pointed out to the subject. 已提示不利后果。")
    ] = False,
    fd: FdOption = None,
) -> None:
    """Sign a consent, as a subject's app does; the subject comes by standard input as {"id": "..."}. 签署同意。"""
    declared = call.unwrap(service_named(service))
    signing = call.unwrap(open_key(key, fd, call.house.profile))
    issuer = issuer_with(public_bytes(signing))
    if issuer is None:
        call.refuse("key-not-registered", file=key.name)
    if find_organisation(recipient) is None:
        call.refuse("organisation-unknown", organisation=recipient)
    now = call.house.clock()
    token = consents.sign(
        signing,
        issuer.issuer,
        Subject(declared.subject, call.unwrap(id_from_input())),
        recipient=recipient,
        service=service,
        purpose=purpose,
        items=decide.reads_of(declared, shelf.find),
        begins=now,
        ends=now + timedelta(days=days),
        salt=call.house.dice(SALT_BYTES),
        nonce=call.house.dice(16),
        uses=uses,
        warned=warned,
    )
    consent = call.unwrap(consents.open(token, now))
    try:
        durable.write_new(out, f"{token}\n".encode())
    except FileExistsError:
        call.refuse("file-exists", file=str(out))
    except OSError as cause:
        call.refuse("file-not-written", file=str(out), cause=cause.strerror or "-")
    _show(call, consent)


@command(app)
def show(call: Call, file: FileArgument) -> None:
    """Show what a consent allows and how often still; not whose it is. 查看同意书。"""
    _show(call, _read(call, file))


@command(app, acts=True)
def withdraw(call: Call, file: FileArgument) -> None:
    """Withdraw a consent; acts at the next call. By its signer, or an officer of the authority. 撤回同意。"""
    consent = _read(call, file)
    call.done(consents.withdraw(call.house.book, consent, call.by))
    _show(call, consent)


def _read(call: Call, file: Path) -> Consent:
    token = call.unwrap(text_of(file, consents.MAX_FILE_BYTES)).strip()
    return call.unwrap(consents.open(token, call.house.clock()))


def _show(call: Call, consent: Consent) -> None:
    left = consents.uses_left(consent)
    if call.as_json:
        # Whose it is stays out: who holds the file and the identifier can check it, nobody needs it printed.
        said = {name: value for name, value in consent.claims().items() if name != "sub"}
        show_data({"status": "usable" if left else "spent", **said, "uses_left": left})
        return
    until = consent.ends.isoformat(timespec="seconds")
    call.say(
        f"{consent.issuer} 同意 {consent.recipient} 使用 {consent.service}，用途 {consent.purpose}，至 {until}",
        f"{consent.issuer} lets {consent.recipient} use {consent.service} for {consent.purpose} until {until}",
    )
    for dataset, items in sorted(consent.items.items()):
        listed = joined(call.lang, sorted(items))
        call.say(f"  {dataset}：{listed}", f"  {dataset}: {listed}")
    call.say(f"  剩余次数：{left}（共 {consent.uses} 次）", f"  uses left: {left} of {consent.uses}")


def _show_key(call: Call, key: ConsentKey) -> None:
    _show_status(call, "registered", key.issuer, f"已登记签署密钥：{key.issuer}")


def _show_status(call: Call, status: str, issuer: str, zh: str) -> None:
    if call.as_json:
        show_data({"status": status, "issuer": issuer})
        return
    call.say(zh, f"{issuer}: {status}", mark=DONE_MARK)
