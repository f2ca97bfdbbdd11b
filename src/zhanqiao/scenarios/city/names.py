# SPDX-License-Identifier: Apache-2.0
"""Chinese names for many people at once: a surname by its frequency, one or two characters by sex and generation."""

import numpy as np
from numpy.typing import NDArray

# Frequent surnames of Shandong, most frequent first; the weights fall like the ranks do.
_SURNAMES = "王李张刘孙于陈杨赵姜徐马朱高宋郭吕宫韩崔周吴曲林迟冷纪江逄薛辛丁任范曹战矫肖邵解管初仇修匡官慕逯尹田董袁潘魏郑胡何梁谢唐许邓冯曾彭苏卢蒋"
_OLD_MEN = "建国军华志明德福海山永祥振东树林玉庆文忠义春生宝贵学成世民兴旺胜利光荣卫安平学良"
_OLD_WOMEN = "秀英兰芳玉珍桂香淑华美凤霞翠红梅素琴云莲爱娥春花月菊敏惠金荣雪贞巧云彩霞"
_MEN = "浩宇轩博子涵俊杰鹏飞晨阳文韬泽睿嘉懿天佑思远昊然一鸣宏伟志强凯旋启航铭楷翔"
_WOMEN = "欣怡梓涵雨桐诗琪思琪佳颖晓雯静雅婷玉洁梦瑶紫萱语嫣可馨悦彤若曦丹妮璐瑾瑜"
_GENERATION = np.datetime64("1978-01-01")


def people_names(
    birth: NDArray[np.datetime64], female: NDArray[np.bool_], dice: np.random.Generator
) -> NDArray[np.str_]:
    """Return a name for each person."""
    count = len(birth)
    weights = 1 / (np.arange(len(_SURNAMES)) + 3)
    letters = np.zeros((count, 3), dtype=np.uint32)
    letters[:, 0] = _points(_SURNAMES)[dice.choice(len(_SURNAMES), count, p=weights / weights.sum())]
    young = birth >= _GENERATION
    for women in (False, True):
        for new in (False, True):
            rows = (female == women) & (young == new)
            alphabet = _points((_MEN, _WOMEN)[women] if new else (_OLD_MEN, _OLD_WOMEN)[women])
            letters[rows, 1:] = alphabet[dice.integers(len(alphabet), size=(int(rows.sum()), 2))]
    # A zero code point ends the text: the name has one given character.
    letters[dice.random(count) < 0.13, 2] = 0
    return letters.view("U3")[:, 0]


def _points(letters: str) -> NDArray[np.uint32]:
    return np.array([ord(letter) for letter in letters], dtype=np.uint32)
