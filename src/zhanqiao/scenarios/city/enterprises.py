# SPDX-License-Identifier: Apache-2.0
"""The enterprises of the synthetic city: one for about twelve people, as parallel numpy arrays.

Every enterprise has a latent risk. It decides two things apart: whether the enterprise will default (the planted truth,
which no department knows) and how it conducts itself (`conduct.py`: arrears, penalties, enforcement, which departments
write down). A pre-check that reads the departments' data therefore has real signal, and the truth can judge it.

Codes are valid: GB 32100 (whole code) over GB 11714 (organisation code), registered in a district of Qingdao.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zhanqiao.scenarios.city.shards import Shard

PEOPLE_PER_ENTERPRISE = 12

# Administrative codes of Qingdao's districts (GB/T 2260), in the order of `people.DISTRICTS`.
REGIONS = {
    "市南区": "370202",
    "市北区": "370203",
    "黄岛区": "370211",
    "崂山区": "370212",
    "李沧区": "370213",
    "城阳区": "370214",
    "即墨区": "370215",
    "胶州市": "370281",
    "平度市": "370283",
    "莱西市": "370285",
}
_DISTRICT_WEIGHTS = np.array([9, 13, 21, 8, 8, 12, 11, 9, 5, 4], dtype=float)


@dataclass(frozen=True)
class Industry:
    """One section of GB/T 4754 with what makes it look like itself: share, words in names, size and risk."""

    zh: str
    share: float
    words: tuple[str, ...]
    size: float
    risk: float


INDUSTRIES = (
    Industry("批发和零售业", 0.33, ("商贸", "贸易", "供应链", "百货"), 0.6, 0.1),
    Industry("制造业", 0.16, ("机械", "电子", "橡胶", "食品", "纺织", "家电"), 2.6, 0.0),
    Industry("租赁和商务服务业", 0.13, ("商务服务", "人力资源", "企业管理", "广告"), 0.7, 0.1),
    Industry("建筑业", 0.09, ("建筑工程", "建设", "装饰工程", "市政工程"), 1.5, 0.5),
    Industry("科学研究和技术服务业", 0.08, ("科技", "检测技术", "新材料科技"), 0.8, -0.2),
    Industry("信息传输、软件和信息技术服务业", 0.06, ("软件", "信息技术", "网络科技"), 0.9, -0.2),
    Industry("住宿和餐饮业", 0.05, ("餐饮管理", "酒店管理", "餐饮"), 0.9, 0.3),
    Industry("交通运输、仓储和邮政业", 0.04, ("物流", "国际货运", "仓储"), 1.2, 0.2),
    Industry("农、林、牧、渔业", 0.03, ("农业", "海洋渔业", "生态农业"), 0.7, 0.0),
    Industry("房地产业", 0.02, ("置业", "房地产开发", "物业管理"), 1.4, 0.6),
    Industry("居民服务、修理和其他服务业", 0.01, ("家政服务", "汽车维修"), 0.6, 0.1),
)

STATUSES = ("在营", "吊销", "注销", "迁出")
ACTIVE, REVOKED, CANCELLED, MOVED = range(len(STATUSES))

_CODE_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS = np.array([pow(3, i, 31) for i in range(17)])
_ORGANISATION_WEIGHTS = np.array([3, 7, 9, 10, 5, 8, 4, 2])
# Characters in trade names (字号); two or three of them make one.
_BRAND = (
    "海琴鲁信诚达和泰隆盛源兴德润华瑞祥宏丰佳美康安嘉顺利通联科智创新博远恒永昌茂金银鑫宝"
    "天地中正大有元亨贞吉东南西北春秋山川江河湖洋蓝碧翠云星辰光明辉煌腾飞龙凤麒麟鹏程万里景福禄"
)


@dataclass(frozen=True, eq=False)
class Enterprises:
    """All enterprises; position i in every array is enterprise i.

    district        position in `people.DISTRICTS`
    industry        position in `INDUSTRIES`
    status          position in `STATUSES`
    closed          day the enterprise left the register, NaT while it is active
    capital         registered capital, in units of 10,000 yuan
    headcount       size: staff it wants to employ
    representative  position of the legal representative in `People`, -1 until `link_representatives`
    risk            latent probability of default, unknown to every department
    will_default    the planted truth: defaults in the coming 12 months
    seed            where the conduct of these enterprises is drawn from, so that all departments see the same
    """

    uscc: NDArray[np.str_]
    name: NDArray[np.str_]
    district: NDArray[np.int8]
    industry: NDArray[np.int8]
    status: NDArray[np.int8]
    founded: NDArray[np.datetime64]
    closed: NDArray[np.datetime64]
    capital: NDArray[np.int64]
    headcount: NDArray[np.int32]
    representative: NDArray[np.int32]
    risk: NDArray[np.float64]
    will_default: NDArray[np.bool_]
    seed: int

    def __len__(self) -> int:
        return len(self.uscc)


def build_enterprises(people: int, shard: Shard, today: np.datetime64) -> Enterprises:
    """Return the enterprises of a shard of so many people on that day; representatives are linked afterwards."""
    dice = shard.dice("enterprises")
    count = max(people // PEOPLE_PER_ENTERPRISE, 1)
    district = dice.choice(len(REGIONS), count, p=_DISTRICT_WEIGHTS / _DISTRICT_WEIGHTS.sum()).astype(np.int8)
    shares = np.array([industry.share for industry in INDUSTRIES])
    industry = dice.choice(len(INDUSTRIES), count, p=shares / shares.sum()).astype(np.int8)
    # Most are young: age in days, exponential around six years, at least a month.
    age = np.minimum(30 + dice.exponential(2200, count), 12_000).astype("timedelta64[D]")
    founded = today.astype("datetime64[D]") - age
    size = np.array([entry.size for entry in INDUSTRIES])[industry]
    headcount = np.maximum(np.rint(size * dice.lognormal(0.85, 1.2, count)), 1).astype(np.int32)
    capital = _capital(headcount, dice)
    status, closed = _fates(founded, today, dice)
    risk = _risk(industry, age, headcount, dice)
    return Enterprises(
        uscc=_codes(district, shard),
        name=_names(industry, shard.dealt(dice.permutation(count)), dice),
        district=district,
        industry=industry,
        status=status,
        founded=founded,
        closed=closed,
        capital=capital,
        headcount=headcount,
        representative=np.full(count, -1, dtype=np.int32),
        risk=risk,
        will_default=(dice.random(count) < risk) & (status == ACTIVE),
        seed=int(dice.integers(2**62)),
    )


def link_representatives(
    enterprises: Enterprises, candidates: NDArray[np.integer[Any]], dice: np.random.Generator
) -> Enterprises:
    """Return the enterprises with a legal representative each, drawn from positions of living adults in `People`."""
    drawn = dice.choice(candidates, len(enterprises)).astype(np.int32)
    return replace(enterprises, representative=drawn)


def _capital(headcount: NDArray[np.int32], dice: np.random.Generator) -> NDArray[np.int64]:
    steps = np.array([10, 30, 50, 100, 200, 500, 1000, 2000, 5000, 10000])
    place = np.log2(1 + headcount) + dice.normal(1.2, 1.3, len(headcount))
    return np.asarray(steps[np.clip(np.rint(place), 0, len(steps) - 1).astype(int)], dtype=np.int64)


def _fates(
    founded: NDArray[np.datetime64], today: np.datetime64, dice: np.random.Generator
) -> tuple[NDArray[np.int8], NDArray[np.datetime64]]:
    status = dice.choice(len(STATUSES), len(founded), p=[0.90, 0.03, 0.06, 0.01]).astype(np.int8)
    age = (today.astype("datetime64[D]") - founded).astype(int)
    closed = founded + (age * dice.uniform(0.3, 1.0, len(founded))).astype("timedelta64[D]")
    closed[status == ACTIVE] = np.datetime64("NaT")
    return status, closed


def _risk(
    industry: NDArray[np.int8], age: NDArray[np.timedelta64], headcount: NDArray[np.int32], dice: np.random.Generator
) -> NDArray[np.float64]:
    young = np.exp(-age.astype(float) / 1500)
    weight = (
        -3.9
        + 0.9 * young
        - 0.15 * np.log(headcount)
        + np.array([entry.risk for entry in INDUSTRIES])[industry]
        + dice.normal(0, 1.6, len(age))
    )
    return np.asarray(1 / (1 + np.exp(-weight)))


def _codes(district: NDArray[np.int8], shard: Shard) -> NDArray[np.str_]:
    count, register = len(district), shard.dice_of_all("codes")
    values = np.empty((count, 18), dtype=np.int64)
    values[:, :2] = 9, 1  # market regulator, enterprise
    regions = np.array([[int(digit) for digit in code] for code in REGIONS.values()])
    values[:, 2:8] = regions[district]
    values[:, 8:11] = [_CODE_ALPHABET.index(letter) for letter in "MA3"]  # codes issued since 2015
    # A stride coprime to 31**5 visits every five-character serial once: no code is given twice.
    stride = 31 * int(register.integers(1, 31**4)) + 1
    serial = (int(register.integers(31**5)) + stride * shard.dealt(np.arange(count, dtype=np.int64))) % 31**5
    for column in range(15, 10, -1):
        serial, values[:, column] = np.divmod(serial, 31)
    values[:, 16] = _organisation_check(values[:, 8:16])
    values[:, 17] = -(values[:, :17] @ _USCC_WEIGHTS) % 31
    return _text(values, _CODE_ALPHABET)


def _organisation_check(values: NDArray[np.int64]) -> NDArray[np.int64]:
    # GB 11714 counts letters A=10 .. Z=35, without gaps; GB 32100 leaves letters out, so the two values differ.
    ordinal = np.array([int(letter, 36) for letter in _CODE_ALPHABET])
    check = -(ordinal[values] @ _ORGANISATION_WEIGHTS) % 11
    return np.where(check == 10, _CODE_ALPHABET.index("X"), check)


def _names(industry: NDArray[np.int8], serial: NDArray[np.int64], dice: np.random.Generator) -> NDArray[np.str_]:
    """Return names of which none is given twice, as no serial is: the first have two characters, then three, then four."""
    base = len(_BRAND)
    brand = np.full(len(serial), "", "U4")
    for length in (2, 3, 4):
        letters = np.stack([serial // base**place % base for place in (1, 0, 2, 3)[:length]], axis=1)
        brand = np.where((brand == "") & (serial >= 0) & (serial < base**length), _text(letters, _BRAND), brand)
        serial = serial - base**length
    words = [entry.words for entry in INDUSTRIES]
    table = np.array([[entry[i % len(entry)] for i in range(12)] for entry in words])
    word = table[industry, dice.integers(12, size=len(industry))]
    return np.strings.add(np.strings.add("青岛", brand), np.strings.add(word, "有限公司"))


def _text(letters: NDArray[np.int64], alphabet: str) -> NDArray[np.str_]:
    points = np.array([ord(letter) for letter in alphabet], dtype=np.uint32)
    return np.ascontiguousarray(points[letters]).view(f"U{letters.shape[1]}")[:, 0]
