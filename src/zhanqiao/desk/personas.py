# SPDX-License-Identifier: Apache-2.0
"""The people of the demo: a city's bureau, its operator and regulator, twelve departments and three residents.

All names are made up. Keys are plain files, which the demo profile alone allows.
"""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from zhanqiao.desk.sealed_keys import KEYS, OF_PEOPLE
from zhanqiao.identity.keys import DEMO, make_key, public_bytes, read_key_file, write_key_file
from zhanqiao.identity.people import OrganisationKind, Role
from zhanqiao.identity.register import NewOrganisation, NewPerson, found
from zhanqiao.ledger import durable
from zhanqiao.terms.refusals import Refusal
from zhanqiao.vault.house import House

AUTHORITY, OPERATOR, REGULATOR = "bigdata-bureau", "pier-operator", "data-regulator"
DEPARTMENTS = {
    "hrss": "人力资源和社会保障局",
    "tax": "税务局",
    "market": "市场监督管理局",
    "housing_fund": "住房公积金管理中心",
    "natural_resources": "自然资源和规划局",
    "credit": "社会信用中心",
    "health": "医疗保障局",
    "transport": "交通运输局",
    "civil_affairs": "民政局",
    "education": "教育局",
    "court": "中级人民法院",
    "police": "公安局",
}
RESIDENTS = {"bay-bank": "海湾银行", "laoshan-bank": "崂山农商行", "pier-bus": "栈桥公交"}

_K = OrganisationKind
_ORGANISATIONS = (
    NewOrganisation(AUTHORITY, _K.AUTHORITY, "大数据发展管理局", "11370200MB2F00001J"),
    NewOrganisation(OPERATOR, _K.OPERATOR, "栈桥数据运营公司", "91370200MA3QDQH018"),
    NewOrganisation(REGULATOR, _K.REGULATOR, "数据监管办公室", "11370200MB2F00002M"),
    *(NewOrganisation(key, _K.DEPARTMENT, name) for key, name in DEPARTMENTS.items()),
    *(NewOrganisation(key, _K.RESIDENT, name) for key, name in RESIDENTS.items()),
)

# person -> (organisation, name, roles). Who assesses, who admits and who seals for the bureau are three people.
_PEOPLE: dict[str, tuple[str, str, frozenset[Role]]] = {
    "chen-sysadmin": (OPERATOR, "陈系统", frozenset({Role.SYSTEM_ADMIN})),
    "liu-secadmin": (AUTHORITY, "刘安全", frozenset({Role.SECURITY_ADMIN})),
    "sun-auditadmin": (REGULATOR, "孙审计", frozenset({Role.AUDIT_ADMIN})),
    "qian-auditor": (REGULATOR, "钱稽核", frozenset({Role.AUDITOR})),
    "wang-assessor": (AUTHORITY, "王初审", frozenset({Role.ASSESSOR})),
    "zhao-assessor": (AUTHORITY, "赵复审", frozenset({Role.ASSESSOR})),
    "li-officer": (AUTHORITY, "李主管", frozenset({Role.OFFICER, Role.SIGNATORY, Role.STEWARD})),
    "hrss-officer": ("hrss", "人社经办", frozenset({Role.OFFICER, Role.STEWARD, Role.ANALYST})),
    "hrss-signatory": ("hrss", "人社签章", frozenset({Role.SIGNATORY})),
    "bay-signatory": ("bay-bank", "海湾签章", frozenset({Role.OFFICER, Role.SIGNATORY})),
    "bay-analyst": ("bay-bank", "海湾分析", frozenset({Role.ANALYST})),
    "laoshan-signatory": ("laoshan-bank", "崂山签章", frozenset({Role.OFFICER, Role.SIGNATORY})),
    "laoshan-analyst": ("laoshan-bank", "崂山分析", frozenset({Role.ANALYST})),
    "bus-signatory": ("pier-bus", "公交签章", frozenset({Role.OFFICER, Role.SIGNATORY})),
    "bus-analyst": ("pier-bus", "公交分析", frozenset({Role.ANALYST})),
    **{
        f"{key}-steward": (key, f"{name}数据员", frozenset({Role.STEWARD}))
        for key, name in DEPARTMENTS.items()
        if key != "hrss"
    },
}


def settle(house: House) -> Refusal | None:
    """Register everybody, with a key file each."""
    people = []
    for person, (organisation, name, roles) in _PEOPLE.items():
        key = make_key()
        path = key_file(house.home, person)
        durable.make_folder(path.parent)
        if (refusal := write_key_file(path, key, passphrase=None, profile=house.profile)) is not None:
            return refusal
        people.append(NewPerson(person, organisation, name, f"demo:{person}", public_bytes(key), roles))
    return found(house.book, _ORGANISATIONS, people, profile=house.profile)


def steward_of(department: str) -> str:
    """Return who delivers a department's data."""
    return "hrss-officer" if department == "hrss" else f"{department}-steward"


def key_of(home: Path, who: str) -> Ed25519PrivateKey | Refusal:
    """Return the key of a persona: what `--as` names signs with it."""
    return read_key_file(key_file(home, who), passphrase=None, profile=DEMO)


def key_file(home: Path, who: str) -> Path:
    """Return where the key of a persona lies."""
    return home / KEYS / OF_PEOPLE / f"{Path(who).name}.pem"
