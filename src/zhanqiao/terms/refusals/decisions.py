# SPDX-License-Identifier: Apache-2.0
"""Refusals of `policy.decide`: what every door needs, and the decisions door.

Whatever depends on the subject (unknown, no consent, withdrawn, for somebody else, used up) is one public code with one
text, `not-answered`: the caller learns nothing about the subject. The true reason goes to the subject and the auditor.
"""

from zhanqiao.terms.refusals.rule import FAULT, NOT_FOUND, USAGE, Rule

ROWS: dict[str, Rule] = {
    "no-grant": Rule(
        "No agreement in force stands behind this request.",
        "该请求没有生效中的合约作为依据。",
        "Have the agreement sealed by both parties and filed, or use another one.",
        "请先完成合约的双方签章与备案，或使用其他合约。",
    ),
    "grant-other-agreement": Rule(
        "The grant at hand belongs to another agreement than {agreement}.",
        "该授权不属于合约 {agreement}。",
        "Ask again under the right agreement.",
        "请使用正确的合约重新提问。",
    ),
    "grant-outside-term": Rule(
        "Agreement {agreement} is not within its term at this moment.",
        "合约 {agreement} 此刻不在有效期内。",
        "Ask within its term, or conclude a new one.",
        "请在有效期内提问，或另行签订。",
    ),
    "door-not-granted": Rule(
        "Agreement {agreement} does not open the door {door}.",
        "合约 {agreement} 未开放 {door} 通道。",
        "It opens: {doors}. Another door needs an agreement that names it.",
        "它开放的通道：{doors}。使用其他通道须另签合约。",
    ),
    "dataset-held-back": Rule(
        "{by} holds the dataset {dataset} back from agreement {agreement}.",
        "{by} 已暂停合约 {agreement} 使用数据集 {dataset}。",
        "Only {by} can resume it.",
        "只有 {by} 可以恢复。",
    ),
    "dataset-not-granted": Rule(
        "Agreement {agreement} does not cover the dataset {dataset}.",
        "合约 {agreement} 不包含数据集 {dataset}。",
        "It covers: {granted}.",
        "它包含：{granted}。",
    ),
    "item-not-granted": Rule(
        "Agreement {agreement} does not cover {items} of {dataset}.",
        "合约 {agreement} 不包含 {dataset} 的 {items}。",
        "Have the agreement name these items.",
        "请在合约中写明这些信息项。",
    ),
    "nothing-published": Rule(
        "Nothing is published of {dataset} under the contract in force.",
        "{dataset} 在现行契约下尚未发布任何数据。",
        "Ask again after the department's next delivery.",
        "请在数源部门下次交付后再问。",
        http_status=409,
    ),
    "service-not-granted": Rule(
        "Agreement {agreement} does not cover the service {service}.",
        "合约 {agreement} 不包含服务 {service}。",
        "It covers: {granted}.",
        "它包含：{granted}。",
    ),
    "service-other-purpose": Rule(
        "The service {service} does not serve the purpose {purpose} of agreement {agreement}.",
        "服务 {service} 不适用于合约 {agreement} 的用途 {purpose}。",
        "It serves: {purposes}.",
        "它适用的用途：{purposes}。",
    ),
    "service-reads-beyond-agreement": Rule(
        "The service {service} reads {what}, which agreement {agreement} does not cover now.",
        "服务 {service} 读取 {what}，而合约 {agreement} 目前未涵盖该数据。",
        "It was not sealed, or its department holds it back: see the agreement, or seal a new one.",
        "该数据未经签章，或被其部门暂停提供：请查看合约，或重新签订。",
    ),
    "batch-without-duty": Rule(
        "The service {service} answers for one subject at a time: it rests on consent, not on a roster kept by duty.",
        "服务 {service} 以数据主体同意为依据，没有职责名册，只能逐个答复。",
        "Ask for one subject at a time, each with its consent.",
        "请逐个主体提问，并附其同意书。",
    ),
    "service-malformed": Rule(
        "The service {service} reads {what}, which the catalogue does not offer to a service.",
        "服务 {service} 读取 {what}，目录不允许服务读取。",
        "Its scenario has to correct the declaration.",
        "请由该应用场景更正服务声明。",
        exit_status=FAULT,
        http_status=500,
    ),
    "not-answered": Rule(
        "This request is not answered.",
        "该请求不予答复。",
        "Have the subject check identifier, consent, recipient, purpose and term, or turn to the authority's desk.",
        "请数据主体核对证件号码、同意书、接收方、用途与期限，或到数据主管部门窗口办理。",
    ),
    "no-sealed-reason": Rule(
        "Entry {index} of the ledger keeps no sealed reason.",
        "账本第 {index} 条记录没有封存的理由。",
        "`zhanqiao ledger show --kind decisions.refused` lists the refusals; those that say not-answered keep one.",
        "`zhanqiao ledger show --kind decisions.refused` 列出拒绝记录；其中 not-answered 者封存有理由。",
        exit_status=NOT_FOUND,
        http_status=404,
    ),
    "consent-missing": Rule(
        "No consent came with this request.",
        "该请求未附同意书。",
        "Ask the subject for a consent to this very use, and hand it in with the request.",
        "请取得数据主体就本次使用的同意，并随请求提交。",
    ),
    "unknown-service": Rule(
        "No service {service} is published.",
        "没有已发布的服务 {service}。",
        "Published are: {known}.",
        "已发布的服务：{known}。",
        exit_status=NOT_FOUND,
        http_status=404,
    ),
    "subject-malformed": Rule(
        "No subject can be read from standard input.",
        "无法从标准输入读取数据主体。",
        'Give one JSON object, for example {{"id": "…"}}.',
        '请提供一个 JSON 对象，例如 {{"id": "…"}}。',
        exit_status=USAGE,
        http_status=400,
    ),
    "list-empty": Rule(
        "The list of subjects is empty.",
        "主体名单为空。",
        "Give one identifier on each line.",
        "请每行提供一个证件号码。",
        exit_status=USAGE,
        http_status=400,
    ),
    "list-too-long": Rule(
        "The list of subjects has more than {limit} bytes. Nothing of it was asked and nothing was charged.",
        "主体名单超过 {limit} 字节。未处理其中任何一行，也未计费。",
        "Give it in several lists.",
        "请分为几份名单。",
        exit_status=USAGE,
        http_status=413,
    ),
    "list-not-utf8": Rule(
        "Line {line} of the list is not UTF-8, so whom it names would be guessed. Nothing was asked and nothing was charged.",
        "名单第 {line} 行不是 UTF-8 编码，所指何人将无法确定。未提问，也未计费。",
        "Give the list as UTF-8, for example `iconv -f GB18030 -t UTF-8`, or UTF-16 in place of GB18030.",
        "请以 UTF-8 提供名单，例如 `iconv -f GB18030 -t UTF-8`；原为 UTF-16 时改用 UTF-16。",
        exit_status=USAGE,
        http_status=400,
    ),
    "load-dataset-unknown": Rule(
        "The catalogue has no dataset {dataset}.",
        "目录中没有数据集 {dataset}。",
        "Describe it first: zhanqiao catalogue add CONTRACT.odcs.yaml",
        "请先编目：zhanqiao catalogue add CONTRACT.odcs.yaml",
        exit_status=NOT_FOUND,
        http_status=404,
    ),
    "snapshot-not-published": Rule(
        "The snapshot {snapshot} brought nothing of what is published of {dataset}.",
        "{dataset} 现已发布的数据中没有快照 {snapshot} 交付的部分。",
        "These did: {published}",
        "现已发布的由以下快照交付：{published}",
        exit_status=NOT_FOUND,
        http_status=404,
    ),
    "load-contract-changed": Rule(
        "The delivery was checked against another version of the contract of {dataset} than the one in force.",
        "该批数据校验时所用的契约版本与 {dataset} 现行版本不一致。",
        "Load it again.",
        "请重新归集。",
        http_status=409,
    ),
    "load-nothing-kept": Rule(
        "{dataset} keeps no item: there is nothing to load.",
        "{dataset} 不保留任何信息项，没有可归集的内容。",
        "Give at least one item a mask in the data contract.",
        "请在数据契约中至少为一个信息项指定脱敏方式。",
    ),
    "digest-malformed": Rule(
        "{digest} is no digest.",
        "{digest} 不是摘要。",
        "Give it as sha256: and 64 hexadecimal digits.",
        "请写成 sha256: 加 64 位十六进制数字。",
    ),
    "build-not-declared": Rule(
        "The contract of {dataset} declares no {build}.",
        "{dataset} 的契约未声明 {build}。",
        "What stays inside is built as declared, and only that.",
        "内部派生数据只能按契约声明生成。",
    ),
}
