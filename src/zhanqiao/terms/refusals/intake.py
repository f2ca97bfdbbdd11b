# SPDX-License-Identifier: Apache-2.0
"""Refusals of deliveries of departments. A whole file is refused, and nothing changes; single bad rows are quarantined.

Sentences name lines, columns and headers of the contract, never a value of the file.
"""

from zhanqiao.terms.refusals.rule import NOT_FOUND, USAGE, Rule


def _file(en: str, zh: str, remedy_en: str, remedy_zh: str) -> Rule:
    """A delivered file that does not fit its contract."""
    return Rule(en="{file}: " + en, zh="{file}：" + zh, remedy_en=remedy_en, remedy_zh=remedy_zh, http_status=422)


ROWS: dict[str, Rule] = {
    # --- before the file is read ------------------------------------------------------------------
    "intake-file-missing": Rule(
        en="{file} cannot be read: {cause}.",
        zh="无法读取 {file}：{cause}。",
        remedy_en="Check path and rights.",
        remedy_zh="请核对路径与权限。",
        exit_status=NOT_FOUND,
        http_status=404,
    ),
    "intake-no-file": Rule(
        en="A delivery has at least one file.",
        zh="一次交付至少包含一个文件。",
        remedy_en="Name the files after the dataset.",
        remedy_zh="请在数据集名称后列出文件。",
        exit_status=USAGE,
        http_status=422,
    ),
    "intake-too-large": _file(
        "The file is larger than the {limit} bytes that are read.",
        "文件超过可读取的 {limit} 字节。",
        "Deliver it in parts: `zhanqiao intake load DATASET PART...` takes several files as one delivery.",
        "请分成多个文件，用 `zhanqiao intake load DATASET PART...` 一次交付。",
    ),
    # --- the file as a whole ----------------------------------------------------------------------
    "intake-empty": _file(
        "The file holds no rows.",
        "文件中没有数据行。",
        "Deliver a header line and the rows below it.",
        "请交付表头及其下的数据行。",
    ),
    "intake-not-text": _file(
        "The file is {kind}, neither text nor Parquet.",
        "文件是 {kind}，既不是文本也不是 Parquet。",
        "Export it as CSV in UTF-8 or GB 18030, or as Parquet, without archive.",
        "请导出为 UTF-8 或 GB 18030 编码的 CSV，或 Parquet，不要压缩打包。",
    ),
    "intake-encoding": _file(
        "The file is neither UTF-8 nor GB 18030 throughout: line {line} is in neither, or not in that of the lines before "
        "it; a guess would change characters.",
        "文件并非全文采用 UTF-8 或 GB 18030：第 {line} 行两者都不是，或与此前各行的编码不同；猜测会改变字符。",
        "Export the whole file in one encoding, UTF-8 at best.",
        "请以同一种编码导出整个文件，最好是 UTF-8。",
    ),
    "intake-encoding-declared": _file(
        "The file begins as UTF-8 (byte order mark), and line {line} is not UTF-8.",
        "文件以 UTF-8 标记（BOM）开头，但第 {line} 行不是 UTF-8。",
        "Export the whole file in one encoding, UTF-8 at best.",
        "请以同一种编码导出整个文件，最好是 UTF-8。",
    ),
    "intake-nul": _file(
        "Line {line} holds a NUL byte, which no text has.",
        "第 {line} 行含有 NUL 字节，文本中不应出现。",
        "Export the file again; it is damaged, or it is UTF-16.",
        "请重新导出；文件已损坏，或为 UTF-16。",
    ),
    "intake-quotes": _file(
        "The quotation marks of line {line} are not balanced, so that fields and lines cannot be told apart.",
        "第 {line} 行的引号不成对，无法区分字段与行。",
        'Put a value that holds " , or a line end in quotes, and double the quotes inside it (RFC 4180). If line {line} is right, '
        "one above it opens a quote that is not closed.",
        '含有 " 、逗号或换行的值须加引号，其中的引号须成双书写（RFC 4180）。如第 {line} 行无误，则其上方某行有未闭合的引号。',
    ),
    "intake-line-ends": _file(
        "Line {line} holds a carriage return without a line feed.",
        "第 {line} 行含有单独的回车符。",
        "End lines with LF or CR LF.",
        "行尾请用 LF 或 CR LF。",
    ),
    "intake-line-too-long": _file(
        "A record is longer than {limit} bytes.",
        "有一条记录超过 {limit} 字节。",
        "Look for a missing line end or a missing closing quote.",
        "请检查是否缺少换行或右引号。",
    ),
    "intake-too-many-columns": _file(
        "The file has more than {limit} columns.",
        "文件超过 {limit} 列。",
        "Deliver the columns of the contract.",
        "请只交付数据契约中的列。",
    ),
    "intake-header": _file(
        "The header line is not the contract's. {said_en}",
        "表头与数据契约不符。{said_zh}",
        "The first line holds exactly the headers of the contract (`zhanqiao catalogue show DATASET` lists them), in any order, parted by half-width commas without spaces. A column that nobody needs is described, too: with `mask: drop`.",
        "首行须恰为数据契约中的表头（`zhanqiao catalogue show DATASET` 可列出），次序不限，以半角逗号分隔，前后不留空格。无需使用的列也要在契约中写明 `mask: drop`。",
    ),
    "intake-unreadable": _file(
        "The file cannot be parted into rows near row {row}.",
        "第 {row} 行附近无法解析为数据行。",
        "Export it again as plain CSV (RFC 4180).",
        "请重新导出为标准 CSV（RFC 4180）。",
    ),
    "intake-cut-off": _file(
        "The file ends in the middle of row {row}: the transfer broke off, and nobody knows how many rows are missing.",
        "文件在第 {row} 行中间结束：传输中断，无法得知缺少多少行。",
        "Transfer it again and compare its size with the sender's; a complete file ends with a line end.",
        "请重新传输，并与发送方核对文件大小；完整的文件以换行结尾。",
    ),
    "intake-too-many-torn": _file(
        "More than {limit} rows have too few or too many fields.",
        "超过 {limit} 行的字段数不符。",
        "Check separator and quotes, then export again.",
        "请检查分隔符与引号后重新导出。",
    ),
    "intake-parquet-damaged": _file(
        "The Parquet file is damaged.",
        "Parquet 文件已损坏。",
        "Write and transfer it again.",
        "请重新写出并传输。",
    ),
    "intake-parquet-type": _file(
        "Column {column} of the Parquet file has the type {type}, which has no exact text.",
        "Parquet 文件第 {column} 列的类型 {type} 没有精确的文本形式。",
        "Write text, integers, decimals, dates (date32) or booleans.",
        "请使用文本、整数、定点小数、日期（date32）或布尔类型。",
    ),
    "intake-parquet-too-much": _file(
        "A Parquet file of {size} bytes may hold {values} values and {bytes} bytes of text; this one holds more.",
        "{size} 字节的 Parquet 文件最多可含 {values} 个值、{bytes} 字节文本；该文件超出此限。",
        "Look why so many rows repeat the same values; if they are meant so, deliver them as CSV.",
        "请检查为何有大量重复的行；如确属如此，请以 CSV 交付。",
    ),
    "intake-too-much": _file(
        "Reading the file took more memory or time than a file of its size may.",
        "读取该文件所需的内存或时间超过其大小应有的限度。",
        "Export it again; deliver a very large one in parts.",
        "请重新导出；过大的文件请分批交付。",
    ),
    "intake-reader-stopped": _file(
        "The reader stopped over this file.",
        "读取程序因该文件中止。",
        "Export it again as plain CSV; if it happens again, keep the file for the security administrator.",
        "请重新导出为标准 CSV；如再次发生，请保留文件并交安全管理员处理。",
    ),
    "intake-file-twice": _file(
        "the same bytes as {other}, which came with it: its rows would count twice.",
        "与同批的 {other} 内容完全相同：其中各行将重复计数。",
        "Deliver it once.",
        "请只交付其中一个。",
    ),
    "intake-file-known": Rule(
        en="{file} is published already, since {day} in {snapshot}. What is delivered to {dataset} is added: its rows would count twice.",
        zh="{file} 已于 {day} 随 {snapshot} 发布。{dataset} 的交付是追加的：其中各行将重复计数。",
        remedy_en="Deliver the other files without it.",
        remedy_zh="请去掉该文件，只交付其余文件。",
        http_status=409,
    ),
    # --- its rows ---------------------------------------------------------------------------------
    "intake-shrinks": Rule(
        en="The delivery has {rows} good rows, and would replace the {former} of {dataset} that are published.",
        zh="本次交付有 {rows} 行合格数据，将替换 {dataset} 已发布的 {former} 行。",
        remedy_en="A delivery replaces the one before: deliver all files, not the corrected rows alone; or --fewer, if there are no more.",
        remedy_zh="每次交付都替换上一次：请交付全部文件，而非仅更正的行；若数据确已减少，请加 --fewer。",
        http_status=409,
    ),
    "intake-too-many-bad-rows": Rule(
        en="{bad} of {rows} rows do not fit the contract; with more than {percent} % the rest is not published. {found_en}",
        zh="{rows} 行中有 {bad} 行不符合数据契约，超过 {percent}%，其余行不予发布。{found_zh}",
        remedy_en="Correct what is counted here (the header is row 1; `--faults FILE` lists the rows) and deliver all of it again; "
        "where deliveries are appended, without the rows that are published already.",
        remedy_zh="请按以上统计更正（表头为第 1 行；`--faults 文件` 可逐行列出），然后重新交付全部数据；追加交付的，勿含已发布的行。",
        http_status=422,
    ),
}
