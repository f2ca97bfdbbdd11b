# SPDX-License-Identifier: Apache-2.0
"""`zhanqiao people`: the register of organisations, people, roles and keys.

The first people come from one file, on an empty register. Afterwards a system administrator registers organisations and
accounts, and a security administrator gives roles: so no single person makes somebody who can act.
"""

from pathlib import Path
from typing import Annotated

import typer

from zhanqiao.desk import founding
from zhanqiao.desk.cli.given import id_from_input, text_of
from zhanqiao.desk.cli.names import KINDS, ROLES, state_of, with_name
from zhanqiao.desk.cli.output import (
    DONE_MARK,
    FdOption,
    JsonOption,
    LangOption,
    language,
    refused,
    say,
    show_data,
    show_line,
    show_table,
)
from zhanqiao.desk.cli.session import Call, command, passphrase_of, unwrap
from zhanqiao.identity import directory, register
from zhanqiao.identity.keys import make_key, parse_public, public_bytes, write_key_file
from zhanqiao.identity.people import Organisation, OrganisationKind, Person, Role
from zhanqiao.identity.register import NewOrganisation, NewPerson
from zhanqiao.ledger.dsse import key_id_of
from zhanqiao.terms.refusals import Lang, Refusal, refuse

app = typer.Typer(no_args_is_help=True, help="Organisations, people, roles, keys. 机构、人员、角色与密钥。")
key_app = typer.Typer(no_args_is_help=True, help="Key files, which prove who acts. 密钥文件。")
app.add_typer(key_app, name="key")

PersonArgument = Annotated[str, typer.Argument(help="Id of the person. 人员编号。")]
PublicOption = Annotated[
    str, typer.Option("--public", help="Public key, as `people key new` prints it. 公钥（64 位十六进制）。")
]


@command(app)
def found(
    call: Call,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The register, YAML. 登记文件。")],
) -> None:
    """Fill an empty register with its first organisations and people, all or nothing. 初始化登记簿。"""
    organisations, people = call.unwrap(founding.read(call.unwrap(text_of(file, founding.MAX_BYTES))))
    call.done(register.found(call.house.book, organisations, people, profile=call.house.profile))
    if call.as_json:
        show_data({"status": "founded", "organisations": len(organisations), "people": len(people)})
        return
    call.say(
        f"已登记 {len(organisations)} 个机构、{len(people)} 名人员",
        f"Registered: {len(organisations)} organisations, {len(people)} people",
    )


@command(app, acts=True)
def organisation(
    call: Call,
    identifier: Annotated[str, typer.Argument(metavar="ID", help="Its id from now on. 机构编号。")],
    kind: Annotated[OrganisationKind, typer.Option("--kind", help="What it is here. 机构类型。")],
    name: Annotated[str, typer.Option("--name", help="Its full name. 机构名称。")],
    code: Annotated[str | None, typer.Option("--code", help="Unified social credit code. 统一社会信用代码。")] = None,
) -> None:
    """Register an organisation; a resident starts as an applicant. 登记机构。"""
    new = NewOrganisation(identifier, kind, name, code)
    _show_organisation(call, call.unwrap(register.register_organisation(call.house.book, new, call.by)))


@command(app, acts=True)
def add(
    call: Call,
    identifier: Annotated[str, typer.Argument(metavar="ID", help="The account's id from now on. 人员编号。")],
    organisation: Annotated[str, typer.Option("--organisation", help="Where the person works. 所属机构。")],
    name: Annotated[str, typer.Option("--name", help="The person's name. 姓名。")],
    public: PublicOption,
) -> None:
    """Make an account; the citizen id comes by standard input as {"id": "..."}. It holds no role yet. 登记人员。"""
    key = call.unwrap(parse_public(public))
    new = NewPerson(identifier, organisation, name, call.unwrap(id_from_input()), key)
    _show_person(call, call.unwrap(register.register_person(call.house.book, new, call.by)))


@command(app, acts=True)
def role(
    call: Call,
    person: PersonArgument,
    role: Annotated[Role, typer.Argument(help="The role. 角色。")],
    take: Annotated[bool, typer.Option("--take", help="Take it away instead. 收回角色。")] = False,
) -> None:
    """Give a role, or take it; what one person may not hold together is refused. 授予或收回角色。"""
    act = register.take_role if take else register.give_role
    _show_person(call, call.unwrap(act(call.house.book, person, role, call.by)))


@command(app, acts=True)
def dismiss(call: Call, person: PersonArgument) -> None:
    """Let a person act no more; what was signed stays. 离任。"""
    _show_person(call, call.unwrap(register.dismiss(call.house.book, person, call.by)))


@command(app, acts=True)
def reinstate(call: Call, person: PersonArgument) -> None:
    """Let a dismissed person act again; roles have to be given again. 复职。"""
    _show_person(call, call.unwrap(register.reinstate(call.house.book, person, call.by)))


@command(app)
def show(call: Call) -> None:
    """List organisations and their people. 查看机构与人员。"""
    organisations, people = directory.organisations(), directory.people()
    if call.as_json:
        show_data(
            {
                "organisations": [
                    {"id": o.id, "kind": o.kind, "name": o.name, "admission": o.admission} for o in organisations
                ],
                "people": [
                    {
                        "id": p.id,
                        "organisation": p.organisation.id,
                        "name": p.name,
                        "roles": p.roles,
                        "active": p.active,
                    }
                    for p in people
                ],
            }
        )
        return
    show_table(
        ["机构", "类型", "准入", "名称"] if call.lang == "zh" else ["organisation", "kind", "admission", "name"],
        [[one.id, with_name(call.lang, one.kind, KINDS), _admission_of(call, one), one.name] for one in organisations],
    )
    show_line()
    show_table(
        ["人员", "机构", "角色", "姓名"] if call.lang == "zh" else ["person", "organisation", "roles", "name"],
        [[one.id, one.organisation.id, _roles_of(call, one), one.name] for one in people],
    )


@key_app.command("new")
def new_key(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="Where the key goes; never over another. 密钥文件。")],
    fd: FdOption = None,
    lang: LangOption = "",
    as_json: JsonOption = False,
) -> None:
    """Make a key file under a passphrase, and print the public half. Opens no deployment. 生成密钥。"""
    spoken = language(lang)
    passphrase = unwrap(_new_passphrase(fd, spoken), spoken, as_json=as_json)
    key = make_key()
    # Whatever the deployment, a key that somebody makes by hand is locked.
    if (refusal := write_key_file(file, key, passphrase=passphrase, profile="laptop")) is not None:
        refused(refusal, spoken, as_json=as_json)
    public = public_bytes(key)
    if as_json:
        show_data({"status": "made", "file": str(file), "public": public.hex(), "key": key_id_of(public)})
        return
    say(spoken, f"公钥 {public.hex()}", f"public key {public.hex()}")


@command(key_app, acts=True)
def replace(call: Call, person: PersonArgument, public: PublicOption) -> None:
    """Register another key for a person, and take every role until they are given again. 更换密钥。"""
    key = call.unwrap(parse_public(public))
    _show_person(call, call.unwrap(register.replace_key(call.house.book, person, key, call.by)))


def _new_passphrase(fd: int | None, lang: Lang) -> str | Refusal:
    first = passphrase_of(fd, "口令：" if lang == "zh" else "passphrase: ")
    if fd is not None or isinstance(first, Refusal):
        return first
    again = passphrase_of(None, "再次输入口令：" if lang == "zh" else "the same again: ")
    return first if first == again else refuse("passphrase-differs")


def _show_organisation(call: Call, one: Organisation) -> None:
    if call.as_json:
        show_data({"status": "registered", "organisation": one.id, "kind": one.kind, "admission": one.admission})
        return
    kind, admission = with_name(call.lang, one.kind, KINDS), _admission_of(call, one)
    call.say(
        f"{one.id}：{kind}" + (f"，{admission}" if one.admission else ""),
        f"{one.id}: {kind}, {admission}",
        mark=DONE_MARK,
    )


def _admission_of(call: Call, one: Organisation) -> str:
    return "-" if one.admission is None else state_of(call.lang, one.admission)


def _show_person(call: Call, one: Person) -> None:
    if call.as_json:
        shown = {"person": one.id, "organisation": one.organisation.id, "roles": one.roles, "active": one.active}
        show_data({"status": "registered", **shown, "key": key_id_of(one.key)})
        return
    roles = _roles_of(call, one)
    call.say(
        f"{one.id}（{one.organisation.id}）：角色 {roles}",
        f"{one.id} of {one.organisation.id}: roles {roles}",
        mark=DONE_MARK,
    )


def _roles_of(call: Call, one: Person) -> str:
    roles = (with_name(call.lang, role, ROLES) for role in sorted(one.roles))
    return (("、" if call.lang == "zh" else " ").join(roles) or "-") + _left(call, one)


def _left(call: Call, one: Person) -> str:
    if one.active:
        return ""
    return "，已离任" if call.lang == "zh" else ", dismissed"
