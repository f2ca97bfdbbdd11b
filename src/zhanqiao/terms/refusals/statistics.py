# SPDX-License-Identifier: Apache-2.0
"""Refusals of the statistics door and its guard.

Three groups: `text-*` (the lexer: what a statement is written with), `form-*` (the readers: what it is built of; each
says whether the form is not offered yet or never will be), `statement-*` (names, types, capabilities, cubes).
`{example}` is a statement that would be answered under the caller's agreement as it stands.
"""

from zhanqiao.terms.refusals.rule import NOT_FOUND, Rule

_BAD_REQUEST = 400


def _text(en: str, zh: str, remedy_en: str, remedy_zh: str) -> Rule:
    return Rule(en, zh, remedy_en, remedy_zh, http_status=_BAD_REQUEST)


def _not_yet(what_en: str, what_zh: str, why_en: str = "", why_zh: str = "") -> Rule:
    return Rule(
        f"Not offered yet: {what_en}.{why_en and ' ' + why_en}",
        f"暂不提供：{what_zh}。{why_zh}",
        "Leave it out. This would be answered: {example}",
        "请去掉该部分。可以答复的语句示例：{example}",
    )


def _never(what_en: str, what_zh: str, why_en: str, why_zh: str) -> Rule:
    return Rule(
        f"Never answered: {what_en}, since {why_en}.",
        f"不予答复：{what_zh}。{why_zh}。",
        "Leave it out. This would be answered: {example}",
        "请去掉该部分。可以答复的语句示例：{example}",
    )


ROWS: dict[str, Rule] = {
    # --- the text itself ---------------------------------------------------------------------------
    "text-empty": _text(
        "There is no statement.",
        "没有语句。",
        "Write one SELECT statement.",
        "请写一条 SELECT 语句。",
    ),
    "text-too-long": _text(
        "The statement has {size} bytes; at most {limit} are read.",
        "语句长 {size} 字节，上限为 {limit} 字节。",
        "Shorten it, for example by splitting a long IN list.",
        "请缩短语句，例如拆分较长的 IN 列表。",
    ),
    "text-too-deep": _text(
        "The statement is nested deeper than {limit} levels.",
        "语句嵌套超过 {limit} 层。",
        "Flatten it: AND and OR need no brackets among their own kind.",
        "请减少嵌套：同类的 AND、OR 之间无需括号。",
    ),
    "text-character": _text(
        "The character {character} at position {position} has no place outside quotes.",
        "第 {position} 个字符 {character} 不得出现在引号之外。",
        "Use plain ASCII outside quotes; invisible and look-alike characters are refused.",
        "引号之外只能使用 ASCII 字符；不可见字符和形近字符一律拒绝。",
    ),
    "text-full-width": _text(
        "The character {character} at position {position} has no place outside quotes.",
        "第 {position} 个字符 {character} 不得出现在引号之外。",
        "Write {plain} instead.",
        "请改用半角的 {plain}。",
    ),
    "text-han": _text(
        "Chinese stands outside quotes, from {character} at position {position} on.",
        "引号之外出现中文，自第 {position} 个字符 {character} 起。",
        "Items and datasets are called by their names in `catalogue show DATASET`, district for example; a value stands in single quotes.",
        "数据集与信息项请用 `catalogue show 数据集` 中的名称，例如 district；取值请用单引号括起。",
    ),
    "text-in-double-quotes": _text(
        "{value} stands in double quotes, which make a name of it.",
        "{value} 用了双引号，双引号内是名称而非取值。",
        "A text stands in single quotes: '{value}'.",
        "取值请用单引号：'{value}'。",
    ),
    "text-comment": _text(
        "Comments are not read (position {position}).",
        "语句中不得有注释(位置 {position})。",
        "Remove the comment.",
        "请删除注释。",
    ),
    "text-many-statements": _text(
        "There is more than one statement (a semicolon at position {position}).",
        "一次只能提交一条语句(位置 {position} 有分号)。",
        "Ask one statement at a time.",
        "请逐条提问。",
    ),
    "text-quote-open": _text(
        "The quote that opens at position {position} never closes.",
        "位置 {position} 的引号没有闭合。",
        "Close it; a quote inside quotes is written twice.",
        "请补上引号；引号中的引号须写两次。",
    ),
    "text-quote-empty": _text(
        "The quoted name at position {position} is empty.",
        "位置 {position} 的引号名称为空。",
        "Give the name, or leave the quotes out.",
        "请写出名称，或去掉引号。",
    ),
    "text-quote-prefix": _text(
        "The quote at position {position} touches a letter, a digit or another quote, which gives it a special meaning.",
        "位置 {position} 的引号紧贴字母、数字或另一引号，会产生特殊含义。",
        "Write text as '...' with spaces around it; escapes such as E'...' and x'...' are not read.",
        "文本请写作 '...'，前后留空格；不支持 E'...'、x'...' 等写法。",
    ),
    "text-quote-character": _text(
        "The quoted text at position {position} holds {character}, which cannot be seen or has two spellings.",
        "位置 {position} 的引号内含有 {character}，该字符不可见或有多种写法。",
        "Type the text anew, in composed form (NFC), without invisible characters.",
        "请重新输入该文本，使用规范组合形式(NFC)，不含不可见字符。",
    ),
    "text-quote-long": _text(
        "The quoted name at position {position} is longer than {limit} characters.",
        "位置 {position} 的引号名称超过 {limit} 个字符。",
        "Choose a shorter name.",
        "请缩短名称。",
    ),
    "text-reserved-word": _text(
        "The word {word} is reserved for the guard.",
        "{word} 为系统保留字。",
        "Choose another name.",
        "请换一个名称。",
    ),
    "text-number": _text(
        "{word} is no plain number.",
        "{word} 不是普通数字。",
        "Write digits only, without exponent, prefix, underscore or suffix.",
        "请只写数字，不带指数、前缀、下划线或后缀。",
    ),
    "text-not-parsed": _text(
        "The statement is no SQL that can be read (near {near}, line {line}).",
        "无法解析该语句(第 {line} 行，{near} 附近)。",
        "Correct it there. This form is read: {example}",
        "请更正该处。可读的语句形式：{example}",
    ),
    "text-two-readings": _text(
        "Two independent parsers read this statement differently ({construct}), so it is not answered.",
        "两个独立解析器对该语句的理解不一致({construct})，因此不予答复。",
        "Write it more plainly, with brackets around each condition. This would be answered: {example}",
        "请写得更明确，给每个条件加上括号。可以答复的语句示例：{example}",
    ),
    # --- what it is built of -----------------------------------------------------------------------
    "form-not-select": Rule(
        "Never answered: a statement that begins with {word}, since only SELECT asks a question; nothing here can change or list the store.",
        "不予答复：以 {word} 开头的语句。只有 SELECT 是提问；任何语句都不能改动或列举库内容。",
        "{meant_en}This would be answered: {example}",
        "{meant_zh}可以答复的语句示例：{example}",
    ),
    "form-no-dataset": _never(
        "a SELECT without a dataset",
        "没有数据集的 SELECT",
        "there is nothing that it could ask about",
        "没有可问的对象",
    ),
    "form-constant": _never(
        "a constant as a column",
        "常量列",
        "it says nothing about the data",
        "它与数据无关",
    ),
    "form-star": _never(
        "the star",
        "星号",
        "a question names its items, and rows do not leave",
        "提问须写明信息项，明细数据不出库",
    ),
    "form-order": _not_yet(
        "ORDER BY",
        "ORDER BY",
        "Rows come in the order of their groups; sort the answer at your side.",
        "结果按分组顺序排列，请在取得答复后自行排序。",
    ),
    "form-limit": _not_yet("LIMIT and OFFSET", "LIMIT、OFFSET", "All groups are answered.", "答复包含全部分组。"),
    "form-having": _not_yet("HAVING", "HAVING", "Filter the answer at your side.", "请在取得答复后自行筛选。"),
    "form-join": _not_yet("reading more than one dataset", "多数据集联查"),
    "form-cte": _not_yet("WITH", "WITH"),
    "form-rollup": _not_yet(
        "GROUPING SETS, ROLLUP or CUBE",
        "GROUPING SETS、ROLLUP、CUBE",
        "Ask each level by itself; they add up.",
        "请逐级提问，各级之间可加总。",
    ),
    "form-distinct": _not_yet(
        "SELECT DISTINCT", "SELECT DISTINCT", "GROUP BY gives the same.", "GROUP BY 可得同样结果。"
    ),
    "form-group-all": _not_yet("GROUP BY ALL", "GROUP BY ALL", "Name each dimension.", "请写明每个维度。"),
    "form-ordinal": _not_yet(
        "GROUP BY a position or an expression",
        "按位置或表达式分组",
        "Name the dimension.",
        "请写明维度名称。",
    ),
    "form-case": _not_yet("CASE", "CASE", "Group by the dimension instead.", "请改为按维度分组。"),
    "form-arithmetic": _not_yet(
        "arithmetic", "四则运算", "Compute with the answer at your side.", "请在取得答复后自行计算。"
    ),
    "form-function": _not_yet(
        "the function {name}",
        "函数 {name}",
        "Offered are count(*), count(DISTINCT key), sum(measure), avg(measure).",
        "现提供 count(*)、count(DISTINCT 主体键)、sum(度量)、avg(度量)。",
    ),
    "form-count-item": _not_yet(
        "count(item)",
        "count(信息项)",
        "It would tell who has a value; count(*) counts rows.",
        "它会透露谁有取值；count(*) 统计行数。",
    ),
    "form-distinct-aggregate": _not_yet(
        "DISTINCT inside {name}",
        "{name} 内的 DISTINCT",
        "Only count(DISTINCT key) is.",
        "仅提供 count(DISTINCT 主体键)。",
    ),
    "form-filter": _not_yet(
        "FILTER on an aggregate", "聚合上的 FILTER", "Put the condition into WHERE.", "请把条件写入 WHERE。"
    ),
    "form-literal": _not_yet(
        "the value {literal}",
        "取值 {literal}",
        "A condition compares with whole numbers of at most 15 digits or with quoted text.",
        "条件只能与不超过 15 位的整数或引号文本比较。",
    ),
    "form-condition": _not_yet(
        "a condition that is no comparison ({condition})",
        "非比较条件({condition})",
        "A condition compares one dimension with values.",
        "条件须为一个维度与取值的比较。",
    ),
    "form-qualifier": _not_yet(
        "the prefix {qualifier} of {item}",
        "{item} 的前缀 {qualifier}",
        "Only the dataset's own name or alias may stand before an item.",
        "信息项之前只能写数据集名称或其别名。",
    ),
    "form-subquery": _never(
        "a query inside a query",
        "嵌套查询",
        "it can compare one person's value with all others",
        "它可将某一人的取值与其他人逐一比较",
    ),
    "form-set-operation": _never(
        "UNION, INTERSECT or EXCEPT",
        "UNION、INTERSECT、EXCEPT",
        "it can pad a small group, or find the persons that two datasets share",
        "它可填充小群体，或找出两个数据集共有的人",
    ),
    "form-window": _never(
        "a window or QUALIFY over rows",
        "行级窗口与 QUALIFY",
        "it singles out rows",
        "它会挑出单行",
    ),
    "form-sample": _never("sampling", "抽样", "a question has one answer", "同一问题只有一个答案"),
    "form-pivot": _never(
        "PIVOT or UNPIVOT",
        "PIVOT、UNPIVOT",
        "columns named by data would carry data",
        "由数据命名的列会带出数据",
    ),
    "form-table-function": _never(
        "a table function, a file or a value list as dataset",
        "表函数、文件或取值列表作为数据集",
        "questions read described datasets only",
        "提问只能针对已编目的数据集",
    ),
    "form-schema": _never(
        "a dataset with a schema or database before it ({dataset})",
        "带模式或库前缀的数据集({dataset})",
        "datasets have one plain name",
        "数据集只有一个名称",
    ),
    "form-aggregate": _never(
        "the aggregate {name}",
        "聚合 {name}",
        "its result is, or reveals, one row's value",
        "其结果是或会透露单行取值",
    ),
    "form-cast": _never(
        "a cast",
        "类型转换",
        "a failed cast prints the value that failed",
        "转换失败时会显示该取值",
    ),
    "form-like": _never(
        "pattern matching (LIKE, regular expressions)",
        "模式匹配(LIKE、正则)",
        "it reads a text letter by letter",
        "它可逐字探测文本",
    ),
    "form-null": _never(
        "asking for NULL",
        "对空值的提问",
        "whose value is missing is itself about a person; rows without a value are in the remainder group",
        "谁缺失取值本身就涉及个人；无取值的行归入“其余”组",
    ),
    "form-columns-compared": _never(
        "comparing two items with each other ({items})",
        "两个信息项相互比较({items})",
        "it is a join in disguise",
        "这等于变相联接",
    ),
    "form-parameter": _never(
        "a parameter or variable",
        "参数或变量",
        "a statement says all that it asks",
        "语句须完整写明所问内容",
    ),
    "form-unknown": _never(
        "the form {node}",
        "语法成分 {node}",
        "the guard does not know it, and what it does not know it refuses",
        "语句守卫不认识该成分，凡不认识的一律拒绝",
    ),
    # --- what it means -----------------------------------------------------------------------------
    "statement-dataset-not-granted": Rule(
        "There is no dataset {dataset} within this agreement.",
        "本合约范围内没有数据集 {dataset}。",
        "{meant_en}Granted are: {granted}.",
        "{meant_zh}已授权的数据集：{granted}。",
        # The same whether nobody has such a dataset or others have it: a stranger learns nothing of either.
        exit_status=NOT_FOUND,
        http_status=404,
    ),
    "statement-item-unknown": Rule(
        "The dataset {dataset} has no item {item}.",
        "数据集 {dataset} 没有信息项 {item}。",
        "{meant_en}Items within your agreement: {granted}.",
        "{meant_zh}合约范围内的信息项：{granted}。",
    ),
    "statement-item-not-granted": Rule(
        "The agreement does not cover the item {item} of {dataset}.",
        "合约不包含 {dataset} 的信息项 {item}。",
        "Items within your agreement: {granted}. Another item needs an agreement that names it.",
        "合约范围内的信息项：{granted}。使用其他信息项须另签合约。",
    ),
    "statement-item-forbidden": Rule(
        "The item {item} of {dataset} can stand in no statement: it identifies somebody, or its department gave it no capability.",
        "{dataset} 的信息项 {item} 不能用于任何语句：它可识别个人，或数源部门未赋予任何能力。",
        "Leave it out. This would be answered: {example}",
        "请去掉该信息项。可以答复的语句示例：{example}",
    ),
    "statement-item-key": Rule(
        "The item {item} says who a row is about; it can be counted by count(DISTINCT {item}) and used in no other way.",
        "信息项 {item} 标识数据主体，只能用于 count(DISTINCT {item})，不能用于其他用途。",
        "Leave it out. This would be answered: {example}",
        "请去掉该信息项。可以答复的语句示例：{example}",
    ),
    "statement-measure-filter": Rule(
        "The measure {item} cannot stand in a condition: conditions over a measure find single values by halving.",
        "度量 {item} 不能用于条件：对度量设条件可用二分法找出单个取值。",
        "Filter by a dimension. This would be answered: {example}",
        "请改用维度作条件。可以答复的语句示例：{example}",
    ),
    "statement-measure-group": Rule(
        "The measure {item} cannot form groups, nor be shown by itself.",
        "度量 {item} 不能用于分组，也不能直接输出。",
        "Ask for sum({item}) or avg({item}) by a dimension. This would be answered: {example}",
        "请按维度询问 sum({item}) 或 avg({item})。可以答复的语句示例：{example}",
    ),
    "statement-no-capability": Rule(
        "The item {item} does not have the capability {capability}.",
        "信息项 {item} 没有 {capability} 能力。",
        "It has: {capabilities}. This would be answered: {example}",
        "它具有的能力：{capabilities}。可以答复的语句示例：{example}",
    ),
    "statement-not-a-measure": Rule(
        "{function}({item}) cannot be computed: {item} is no measure.",
        "不能计算 {function}({item}):{item} 不是度量。",
        "Measures of this dataset: {measures}. This would be answered: {example}",
        "本数据集的度量：{measures}。可以答复的语句示例：{example}",
    ),
    "statement-count-not-key": Rule(
        "count(DISTINCT {item}) is not offered: {item} is no subject key.",
        "不提供 count(DISTINCT {item}):{item} 不是主体键。",
        "Group by it and count the groups. This would be answered: {example}",
        "请按其分组后自行计数。可以答复的语句示例：{example}",
    ),
    "statement-units-not-unique": Rule(
        "count(DISTINCT {item}) is not offered on {dataset}: a subject may have several rows there, so subjects of several groups do not add up.",
        "{dataset} 不提供 count(DISTINCT {item})：同一主体可有多行，各组主体数不可加总。",
        "Count rows with count(*). This would be answered: {example}",
        "请用 count(*) 统计行数。可以答复的语句示例：{example}",
    ),
    "statement-literal-type": Rule(
        "{item} holds {stored}; it is compared with {given}, and nothing is cast.",
        "{item} 存储为 {stored}，却与 {given} 比较；系统不做类型转换。",
        "Write the value as {stored}, for instance {sample}.",
        "请把取值写成 {stored}，例如 {sample}。",
    ),
    "statement-literal-domain": Rule(
        "{value} is no value of {item}.",
        "{value} 不是 {item} 的取值。",
        "Public values of {item}: {domain}.",
        "{item} 的公开取值：{domain}。",
    ),
    "statement-literal-form": Rule(
        "{value} has not the form in which {item} is kept.",
        "{value} 不符合 {item} 的存储形式。",
        "Write it like {sample}.",
        "请写成 {sample} 的形式。",
    ),
    "statement-not-ordered": Rule(
        "{item} has no order, so {operator} says nothing about it.",
        "{item} 没有顺序，不能用 {operator} 比较。",
        "Compare it by =, <> or IN.",
        "请用 =、<> 或 IN 比较。",
    ),
    "statement-not-grouped": Rule(
        "{item} is shown but not grouped: single rows do not leave.",
        "{item} 被输出但未分组：明细数据不出库。",
        "Add GROUP BY {item}. This would be answered: {example}",
        "请加上 GROUP BY {item}。可以答复的语句示例：{example}",
    ),
    "statement-alias-twice": Rule(
        "Two columns of the answer are both named {alias}.",
        "答复中有两列都叫 {alias}。",
        "Give one of them another name with AS.",
        "请用 AS 给其中一列另取名称。",
    ),
    "statement-contradiction": Rule(
        "No row can meet this condition, so there is nothing to answer.",
        "该条件不可能成立，因此没有可答复的内容。",
        "Look for two conditions on one dimension that exclude each other.",
        "请检查同一维度上相互排斥的条件。",
    ),
    "statement-tautology": Rule(
        "A part of this condition holds for every row that has a value: it asks only whose value is missing.",
        "条件中有一部分对所有有值的行都成立，等于询问谁缺失取值。",
        "Leave that part out. This would be answered: {example}",
        "请去掉该部分。可以答复的语句示例：{example}",
    ),
    "statement-not-filtered": Rule(
        "{item} holds {stored}; conditions are offered on text and whole numbers only.",
        "{item} 存储为 {stored}；条件仅支持文本和整数。",
        "Leave it out. This would be answered: {example}",
        "请去掉该条件。可以答复的语句示例：{example}",
    ),
    "statement-no-cube": Rule(
        "No published cube of {dataset} covers this question (dimensions: {dims}; measures: {measures}).",
        "{dataset} 没有已发布的立方体能覆盖该问题(维度：{dims}；度量：{measures})。",
        "Published are: {cubes}. This comes nearest and would be answered: {example}",
        "已发布的立方体：{cubes}。最接近且可以答复的语句：{example}",
    ),
    "statement-no-cubes-yet": Rule(
        "{dataset} has no published cube, so no statistics are answered from it yet.",
        "{dataset} 尚无已发布的立方体，暂不能提供统计。",
        "Its department adds a cube to the data contract.",
        "请数源部门在数据契约中增加立方体。",
    ),
}
