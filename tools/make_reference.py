# SPDX-License-Identifier: Apache-2.0
"""Write the generated pages of docs/reference from the code itself: commands, drafts, faults, refusals, settings, spec tests.

`python tools/make_reference.py` writes; with `--check` it only says whether the pages are current (exit 1 when not).
"""

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from zhanqiao.agreements import drafting
from zhanqiao.agreements.draft_keys import KEYS
from zhanqiao.agreements.drafting import MAX_DRAFT
from zhanqiao.agreements.usage import ACTIONS, CONSTRAINTS, STATED
from zhanqiao.desk import state
from zhanqiao.desk.cli import app
from zhanqiao.desk.configuration import SETTINGS, SETTINGS_FILE, Setting
from zhanqiao.terms.agreements import Door
from zhanqiao.terms.refusals import RULES

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs" / "reference"


def refusals_page() -> str:
    """Every refusal code with sentence and remedy, in both languages."""
    lines = [
        "# Refusals 拒绝代码",
        "",
        "Generated from `zhanqiao.terms.refusals`. Exit status 3 unless another is given.",
        "",
    ]
    for code, rule in sorted(RULES.items()):
        lines += [
            f"## `{code}`",
            "",
            f"exit {rule.exit_status}, HTTP {rule.http_status}",
            "",
            f"- {rule.en} *{rule.remedy_en}*",
            f"- {rule.zh} *{rule.remedy_zh}*",
            "",
        ]
    return "\n".join(lines)


def spec_page() -> str:
    """What the spec tests promise: each test's name as a sentence, with its docstring."""
    lines = [
        "# What is promised, and tested",
        "",
        "Generated from `tests/spec`: each line is a test that runs in `make test`.",
        "",
    ]
    for path in sorted((ROOT / "tests" / "spec").glob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        about = (ast.get_docstring(tree) or path.stem).splitlines()[0]
        lines += [f"## {about}", "", f"`{path.relative_to(ROOT)}`", ""]
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                said = (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")
                lines.append(f"- {node.name.removeprefix('test_').replace('_', ' ')}" + (f": {said}" if said else ""))
        lines.append("")
    return "\n".join(lines)


def commands_page() -> str:
    """Every command with its arguments and options, as `--help` shows them."""
    lines = [
        "# Commands 命令",
        "",
        "Generated from the command line itself. Exit status: 0 done, 1 fault, 2 usage, 3 refused (the reasons stand on",
        "standard output, as data with `--json`), 4 not found, 130 interrupted (repeat a request under its number).",
        "`ZHANQIAO_HOME` stands for `--home`.",
        "",
    ]
    for name, command in _commands("zhanqiao", typer.main.get_command(app)):
        lines += [f"## {name}", "", " ".join((command.help or "").split()), ""]
        rows = [_parameter(one) for one in command.params if one.name != "help"]
        if rows:
            lines += ["| | | |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


def drafts_page() -> str:
    """Every key of a draft, and what its usage control may say."""
    lines = [
        "# Drafts of agreements 合约草案",
        "",
        "Generated from `zhanqiao.agreements.draft_keys` and `usage`. `zhanqiao agreement draft FILE` reads one file of plain",
        f"UTF-8 YAML of at most {MAX_DRAFT:,} characters: no anchors, tags or merged keys. An unknown key is refused, and every",
        "problem is named at once, with its line; [refusals](refusals.md) beginning with `draft-` list them. Where a draft",
        "comes from and goes to: [Describe and ask a new dataset](../howto/describe-and-ask-a-new-dataset.md).",
        "合约草案为一个 UTF-8 编码的 YAML 文件；未知的键一律拒绝，全部问题一次列出并注明行号。",
        "",
        "`*` is a name that the draft chooses, `[]` an entry of a list. `*` 为草案自定的名称，`[]` 为列表中的一项。",
        "",
        "| key 键 | required 必填 | | |",
        "|---|---|---|---|",
        *(f"| `{key.path}` | {'yes' if key.needed else 'no'} | {key.en} | {key.zh} |" for key in KEYS),
        "",
        f"Doors 通道: {', '.join(f'`{door}`' for door in Door)}.",
        "",
        "## Actions 行为",
        "",
        "A rule that the platform cannot make true is refused, not ignored. 平台无法落实的规则一律拒绝。",
        "",
        "| rule 规则 | action 行为 | made true by 落实方式 |",
        "|---|---|---|",
        *(f"| {kind} | `{action}` | {how} |" for (kind, action), how in {**ACTIONS, **STATED}.items()),
        "",
        "## Constraints 约束",
        "",
        "| `leftOperand` | `operator` | made true by 落实方式 |",
        "|---|---|---|",
        *(f"| `{left}` | `{operator}` | {how} |" for (left, operator), how in CONSTRAINTS.items()),
        "",
        "## An example 示例",
        "",
        "```yaml",
        *_example(drafting.__doc__ or ""),
        "```",
        "",
    ]
    return "\n".join(lines)


def faults_page() -> str:
    """Every code of a faulty row, and how values of each type are written."""
    state.prepare()
    from zhanqiao.intake.checks import CODES, FORMS  # intake has tables, which Django wants to know first

    lines = [
        "# Faults of rows 行的问题",
        "",
        "Generated from `zhanqiao.intake.checks`. What is wrong with a row of a delivery, as the report of `intake load`, the",
        "list of `--faults` and `intake faults` tell it: never with the value. A row with any of these goes to quarantine.",
        "`blank` stands in quarantines of former versions only.",
        "归集报告、问题清单与 `intake faults` 所用的代码；有任一问题的行进入隔离区，报告不含数据值。",
        "",
        "| code 代码 | | |",
        "|---|---|---|",
        *(f"| `{code}` | {en} | {zh} |" for code, (en, zh) in sorted(CODES.items())),
        "",
        "## Forms of values 各类型的写法",
        "",
        "| `logicalType` | | |",
        "|---|---|---|",
        *(f"| `{kind}` | {en} | {zh} |" for kind, (en, zh) in FORMS.items()),
        "",
    ]
    return "\n".join(lines)


def _example(text: str) -> list[str]:
    """Return the indented lines of a docstring."""
    return [line.removeprefix("    ") for line in text.splitlines() if line.startswith("    ")]


def _commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Yield every command that can be run, groups resolved."""
    for word, inner in getattr(command, "commands", {}).items():
        yield from _commands(f"{name} {word}", inner)
    if not hasattr(command, "commands"):
        yield name, command


def _parameter(parameter: Any) -> str:
    """Return one row: how it is written, whether it must be there, what it is for."""
    option = parameter.param_type_name == "option"
    written = ", ".join(parameter.opts) if option else parameter.name.upper() + ("..." if parameter.nargs == -1 else "")
    asked = "required" if parameter.required else _default(parameter)
    return f"| `{written}` | {asked} | {parameter.help or ''} |"


def _default(parameter: Any) -> str:
    shown = parameter.show_default if isinstance(parameter.show_default, str) else parameter.default
    return "" if shown in (None, "", False) or not parameter.show_default else f"`{shown}`"


def settings_page() -> str:
    """Every setting of zhanqiao.toml."""
    lines = [
        "# Settings 配置",
        "",
        f"Generated from `zhanqiao.desk.configuration`. `{SETTINGS_FILE}` in the deployment's folder is the one place for",
        "settings; whatever it says that nobody meant is named, and opens nothing. Witnesses stand in `[[witness]]` tables,",
        "which `zhanqiao ledger witness add` writes. 部署目录中的 `zhanqiao.toml` 是唯一的配置；有误则不打开任何内容。",
        "",
        "| table 表 | key 键 | when left out 缺省 | | |",
        "|---|---|---|---|---|",
        *(
            f"| `[{one.table}]` | `{one.key}` | {_left_out(one)} | {one.en}{_choices(one)} | {one.zh} |"
            for one in SETTINGS
        ),
        "",
    ]
    return "\n".join(lines)


def _left_out(setting: Setting) -> str:
    return "required 必填" if setting.default is None else f"`{json.dumps(setting.default)}`"


def _choices(setting: Setting) -> str:
    return f" One of {', '.join(f'`{one}`' for one in setting.choices)}." if setting.choices else ""


PAGES = {
    "commands.md": commands_page,
    "drafts.md": drafts_page,
    "faults.md": faults_page,
    "refusals.md": refusals_page,
    "promises.md": spec_page,
    "settings.md": settings_page,
}


def main() -> int:
    """Write or check every page."""
    stale = []
    for name, page in PAGES.items():
        path, text = REFERENCE / name, page()
        if "--check" in sys.argv:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                stale.append(name)
        else:
            path.write_text(text, encoding="utf-8")
    if stale:
        print(f"stale: {', '.join(stale)}; run `make reference`")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
