# SPDX-License-Identifier: Apache-2.0
"""Refusals of a deployment folder, its keys, its ledger."""

from zhanqiao.terms.refusals.rule import FAULT, NOT_FOUND, USAGE, Rule

ROWS: dict[str, Rule] = {
    "home-not-empty": Rule(
        en="{home} is not empty, and a deployment is founded in an empty folder only.",
        zh="{home} 不是空目录；部署只能建立在空目录中。",
        remedy_en="Give another folder with --home, or remove what is left there.",
        remedy_zh="用 --home 另指目录，或先清空该目录。",
        exit_status=USAGE,
        http_status=409,
    ),
    "no-deployment": Rule(
        en="{home} holds no deployment: zhanqiao.toml is missing.",
        zh="{home} 中没有部署：缺少 zhanqiao.toml。",
        remedy_en="Run `zhanqiao init --home {home}`, or name the right folder with --home or ZHANQIAO_HOME.",
        remedy_zh="执行 `zhanqiao init --home {home}`，或用 --home 或 ZHANQIAO_HOME 指明目录。",
        exit_status=NOT_FOUND,
        http_status=404,
    ),
    "keys-unreadable": Rule(
        en="The keys of this deployment cannot be read: {cause}.",
        zh="无法读取本部署的密钥：{cause}。",
        remedy_en="Restore the keys folder from its backup. Nothing was opened and nothing was changed.",
        remedy_zh="请从备份恢复 keys 目录。未打开、未更改任何内容。",
        exit_status=FAULT,
        http_status=500,
    ),
    "ledger-damaged": Rule(
        en="The ledger contradicts itself: {cause}.",
        zh="账本自相矛盾：{cause}。",
        remedy_en="Stop, keep the folder as evidence, and restore from backup; nothing is repaired silently.",
        remedy_zh="请停止使用，保留现场，并从备份恢复；系统不会静默修复。",
        exit_status=FAULT,
        http_status=500,
    ),
    "vault-damaged": Rule(
        en="The vault cannot be read: {cause}.",
        zh="无法读取数据库房：{cause}。",
        remedy_en="Check that keys and vault belong together, or restore from backup; nothing was changed.",
        remedy_zh="请确认密钥与库房相配，或从备份恢复；未更改任何内容。",
        exit_status=FAULT,
        http_status=500,
    ),
    "state-damaged": Rule(
        en="The platform's state cannot be used: {cause}.",
        zh="平台状态无法使用：{cause}。",
        remedy_en="See that disk and rights are in order; restore from backup if the file is damaged. Nothing was changed.",
        remedy_zh="请检查磁盘与权限；如文件损坏，请从备份恢复。未更改任何内容。",
        exit_status=FAULT,
        http_status=500,
    ),
    "fault": Rule(
        en="The command failed: {kind}, at {place}.",
        zh="命令执行失败：{kind}，位置 {place}。",
        remedy_en="Set ZHANQIAO_DEBUG=1 to see the traceback, which may hold what you typed; report it to the operator.",
        remedy_zh="设 ZHANQIAO_DEBUG=1 可查看回溯（其中可能含所输入内容），并报告运营机构。",
        exit_status=FAULT,
        http_status=500,
    ),
    "request-id-taken": Rule(
        en="Request id {request} was used for another question.",
        zh="请求编号 {request} 已用于另一问题。",
        remedy_en="Give a new request id, or repeat the former question to get its answer again.",
        remedy_zh="请换一个请求编号，或重复原问题以取回原答复。",
        http_status=409,
    ),
    "who-missing": Rule(
        en="This command acts in somebody's name, and no name was given.",
        zh="该命令须以某人名义执行，但未指明何人。",
        remedy_en="Add `--as WHO`; `zhanqiao people show` lists who is registered.",
        remedy_zh="请加 `--as 人员`；`zhanqiao people show` 列出已登记人员。",
        exit_status=USAGE,
        http_status=401,
    ),
    "as-outside-demo": Rule(
        en="`--as` names a person without proof and works in the demo profile only; this deployment runs as {profile}.",
        zh="`--as` 不作身份核验，仅限 demo 模式；本部署为 {profile}。",
        remedy_en="Sign with your own key file; real logins come with the console.",
        remedy_zh="请使用本人密钥文件签名；正式登录随控制台提供。",
        http_status=401,
    ),
    "clock-outside-demo": Rule(
        en="The settings let the clock lag, which the demo profile alone may; this deployment runs as {profile}.",
        zh="配置中的时钟被调慢；仅 demo 模式允许，本部署为 {profile}。",
        remedy_en="Remove clock_behind_seconds from zhanqiao.toml: certificates must carry the true time.",
        remedy_zh="请从 zhanqiao.toml 中删除 clock_behind_seconds：凭证必须使用真实时间。",
        exit_status=USAGE,
        http_status=500,
    ),
}
