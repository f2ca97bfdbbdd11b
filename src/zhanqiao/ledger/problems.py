# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a certificate: one table of codes, each with its sentence in English and Chinese.

Readers of foreign bytes raise `Unsound` with a row of this table; `verify` turns it into a verdict. Nothing depends on
the printed text, and no sentence repeats more than a short, printable piece of the foreign bytes.
"""

from dataclasses import dataclass, field
from typing import Literal

_SHOWN = 80

PROBLEMS: dict[str, tuple[str, str]] = {
    # 1 the file
    "certificate-too-large": (
        "The file has {bytes} bytes; a certificate has at most {limit}.",
        "文件有 {bytes} 字节；凭证至多 {limit} 字节。",
    ),
    "certificate-unreadable": ("The certificate could not be read: {cause}.", "无法读取凭证文件：{cause}。"),
    "certificate-malformed": (
        "This is not a tlog-proof@v1 certificate: {cause}.",
        "这不是 tlog-proof@v1 格式的凭证：{cause}。",
    ),
    # 2 the checkpoint
    "note-malformed": ("The checkpoint is not a signed note: {cause}.", "检查点不是签名文书：{cause}。"),
    "note-signature-wrong": (
        "A signature in the name of the trusted key {key} does not verify.",
        "以受信密钥 {key} 名义所作的签名无法验证。",
    ),
    "note-signature-twice": ("The trusted key {key} signs twice.", "受信密钥 {key} 重复签名。"),
    "note-not-trusted": (
        "No log of the trust file has signed this checkpoint.",
        "信任文件中的账本均未签署此检查点。",
    ),
    "checkpoint-malformed": ("The signed text is not a checkpoint: {cause}.", "所签文本不是检查点：{cause}。"),
    "checkpoint-foreign": (
        "The checkpoint names the log {origin}, but {key} signed it.",
        "检查点所称账本为 {origin}，而签署者为 {key}。",
    ),
    # 3 the witnesses
    "quorum-missing": (
        "The trust file asks for the quorum {quorum}; the witnesses that signed are: {witnesses}.",
        "信任文件要求见证法定数 {quorum}；已签署的见证方：{witnesses}。",
    ),
    "cosignature-missing": (
        "The witness {key} did not cosign this checkpoint.",
        "见证方 {key} 未联署该检查点。",
    ),
    # 4 the place in the log
    "proof-malformed": ("The inclusion proof does not fit its tree: {cause}.", "包含证明与树不符：{cause}。"),
    "proof-wrong": (
        "The log does not hold this statement at index {index}: the proof leads to another root.",
        "账本在序号 {index} 处没有此声明：证明导向另一树根。",
    ),
    # 5 the envelope
    "envelope-malformed": ("The statement's envelope is not DSSE: {cause}.", "声明的信封不是 DSSE：{cause}。"),
    "envelope-foreign": (
        "The statement is signed with the key {key}, which the trust file does not hold.",
        "声明所用签名密钥 {key} 不在信任文件中。",
    ),
    "envelope-signature-wrong": (
        "The statement's signature does not verify: it was altered, or the key {key} did not sign it.",
        "声明的签名无法验证：内容被改动，或并非由密钥 {key} 签署。",
    ),
    # 6 the statement
    "statement-malformed": (
        "The signed statement is not a release statement of version 1: {cause}.",
        "所签声明不是第 1 版出库声明：{cause}。",
    ),
    # 7 the group
    "group-path-missing": (
        "The statement covers {size} answers, and this certificate does not show the path of its own.",
        "声明涵盖 {size} 个答复，而本凭证未给出其路径。",
    ),
    "group-path-unasked": (
        "The statement covers one answer, and this certificate shows a path all the same.",
        "声明只涵盖一个答复，而本凭证仍给出路径。",
    ),
    "group-path-malformed": ("The answer's path does not fit its group: {cause}.", "答复路径与组不符：{cause}。"),
    "group-path-wrong": (
        "The answer is not number {index} of the group that was signed.",
        "该答复不是所签组中的第 {index} 个。",
    ),
    # 8 the answer
    "answer-unreadable": ("The answer beside it could not be read: {cause}.", "无法读取旁边的答复文件：{cause}。"),
    "answer-malformed": ("The answer file cannot be read: {cause}.", "无法读取答复文件：{cause}。"),
    "answer-too-large": (
        "The answer file has {bytes} bytes or more; at most {limit} are read.",
        "答复文件有 {bytes} 字节以上；至多读取 {limit} 字节。",
    ),
    "answer-other": (
        "This certificate was made for another answer, or the answer was altered.",
        "本凭证属于另一答复，或答复已被改动。",
    ),
    # 9 the dates
    "from-the-future": ("{what} is dated {time}, which has not come yet.", "{what} 的时间为 {time}，尚未到来。"),
    # the trust file
    "trust-malformed": (
        "The trust file cannot be used, line {line}: {cause}.",
        "信任文件无法使用，第 {line} 行：{cause}。",
    ),
    # the last wall
    "not-understood": (
        "The file made the verifier fail ({cause}); it is not accepted.",
        "该文件使验证程序出错（{cause}）；不予接受。",
    ),
}


@dataclass(frozen=True)
class Problem:
    """One flaw: a code of the table and the facts that fill its sentence."""

    code: str
    facts: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert self.code in PROBLEMS, f"unknown problem {self.code}"

    def message(self, lang: Literal["zh", "en"]) -> str:
        """Return the sentence in `lang`."""
        english, chinese = PROBLEMS[self.code]
        return (chinese if lang == "zh" else english).format_map(
            {name: _short(printable(fact)) for name, fact in self.facts.items()}
        )


class Unsound(ValueError):  # noqa: N818  the name says what is so
    """Foreign bytes are not what they should be; `problem` says in what."""

    def __init__(self, code: str, **facts: object) -> None:
        self.problem = Problem(code, {name: str(fact) for name, fact in facts.items()})
        super().__init__(self.problem.message("en"))


def printable(foreign: str) -> str:
    """Return foreign text as a terminal may have it: no control characters, no surrogates."""
    return "".join(letter if letter.isprintable() else "?" for letter in foreign)


def _short(shown: str) -> str:
    return shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "..."
