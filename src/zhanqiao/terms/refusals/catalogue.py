# SPDX-License-Identifier: Apache-2.0
"""Refusals of data contracts and the catalogue. Facts come from the contract's own text and the catalogue, never from rows."""

from zhanqiao.terms.refusals.rule import NOT_FOUND, REFUSED, Rule


def _contract(en: str, zh: str, remedy_en: str, remedy_zh: str) -> Rule:
    """A problem of a contract: every one names the line and the place."""
    return Rule(
        en="Line {line}, {path}: " + en,
        zh="第 {line} 行，{path}：" + zh,
        remedy_en=remedy_en,
        remedy_zh=remedy_zh,
        exit_status=REFUSED,
        http_status=422,
    )


ROWS: dict[str, Rule] = {
    # --- the file ---------------------------------------------------------------------------------
    "contract-too-large": Rule(
        en="The contract has {size} bytes; {limit} are read.",
        zh="数据契约共 {size} 字节，上限为 {limit} 字节。",
        remedy_en="Describe one dataset in one file; long lists of public values belong to a code table.",
        remedy_zh="一个文件只描述一个数据集；过长的值域请改用代码表。",
        http_status=413,
    ),
    "contract-not-utf8": Rule(
        en="Line {line} is not UTF-8, so its Chinese names would be guessed.",
        zh="第 {line} 行不是 UTF-8 编码，中文名称将无法确定。",
        remedy_en="Save the file as UTF-8 and add it again.",
        remedy_zh="请将文件另存为 UTF-8 后重新提交。",
        http_status=422,
    ),
    "contract-not-yaml": _contract(
        "this is no YAML: {problem}.",
        "不是有效的 YAML：{problem}。",
        "Correct the line or the one before it: a colon is the half-width : with a space after it; names with : # [ ] {{ }} stand in quotes.",
        "请更正该行或其前一行：冒号须为半角 : 且其后留空格；含有 : # [ ] {{ }} 的内容须加引号。",
    ),
    "contract-not-described": _contract(
        "this is no contract: neither `apiVersion` nor `schema` is among its keys.",
        "不是数据契约：其中没有 `apiVersion` 或 `schema` 这样的键。",
        "Describe the dataset as the reference of contracts shows; a file of rows is loaded with `zhanqiao intake load DATASET FILE`.",
        "请按数据契约参考编写；数据文件请用 `zhanqiao intake load DATASET FILE` 装载。",
    ),
    "contract-yaml-not-plain": _contract(
        "a contract is plain YAML, without {problem}.",
        "数据契约只用普通 YAML，不接受：{problem}。",
        "Write the value out where it stands.",
        "请在原处写出完整的值。",
    ),
    "contract-key-twice": _contract(
        "the key {problem} stands here a second time.",
        "键 {problem} 重复出现。",
        "Keep one of the two.",
        "请只保留一处。",
    ),
    "contract-more-problems": Rule(
        en="There are {count} further problems.",
        zh="另有 {count} 个问题未列出。",
        remedy_en="Correct those named above and add the contract again.",
        remedy_zh="请先更正以上各项，再重新提交。",
        http_status=422,
    ),
    # --- keys and values --------------------------------------------------------------------------
    "contract-key-unknown": _contract(
        "{key} is no key of this part.",
        "此处没有名为 {key} 的键。",
        "Use one of: {known}.",
        "可用的键：{known}。",
    ),
    "contract-key-not-kept": _contract(
        "{key} belongs to the standard, but the platform would not keep what it promises.",
        "{key} 虽属标准，但平台不按此执行，故不接受。",
        "Remove it; what stands for it here: {instead}.",
        "请删除；此处改用：{instead}。",
    ),
    "contract-key-missing": _contract(
        "{key} is missing.",
        "缺少 {key}。",
        "Add {key}.",
        "请补充 {key}。",
    ),
    "contract-custom-unknown": _contract(
        "{property} is no custom property of this part.",
        "此处没有名为 {property} 的自定义属性。",
        "Use one of: {known}.",
        "可用的属性：{known}。",
    ),
    "contract-custom-twice": _contract(
        "the custom property {property} was given on line {first} already.",
        "自定义属性 {property} 已在第 {first} 行给出。",
        "Keep one of the two.",
        "请只保留一处。",
    ),
    "contract-custom-missing": _contract(
        "the custom property {property} is missing, and the catalogue needs it.",
        "缺少编目必需的自定义属性 {property}。",
        "Add {{property: {property}, value: ...}}.",
        "请补充 {{property: {property}, value: ...}}。",
    ),
    "contract-type-wrong": _contract(
        "{wanted_en} is wanted here, not {found_en}.",
        "此处应为{wanted_zh}，实际为{found_zh}。",
        "Write it like this: {example}",
        "请写作：{example}",
    ),
    "contract-value-empty": _contract(
        "nothing is said here.",
        "内容为空。",
        "Fill it in, or remove an optional key.",
        "请填写；可选项可以删除。",
    ),
    "contract-text-too-long": _contract(
        "{length} characters; {limit} are allowed.",
        "共 {length} 个字符，上限为 {limit}。",
        "Shorten it.",
        "请缩短。",
    ),
    "contract-text-invisible": _contract(
        "the text has characters that nobody sees (control, zero-width or direction marks, wide blanks).",
        "文本含有不可见字符（控制符、零宽字符、方向标记或全角空格）。",
        "Type the text anew.",
        "请重新录入该文本。",
    ),
    "contract-code-unknown": _contract(
        "{value} is no code of this list.",
        "{value} 不在代码表中。",
        "Use one of: {known}.",
        "可用的代码：{known}。",
    ),
    "contract-form-wrong": _contract(
        "{value} does not have the form that is wanted.",
        "{value} 的格式不符。",
        "Write {wanted_en}.",
        "应为：{wanted_zh}。",
    ),
    "contract-number-outside": _contract(
        "{value} lies outside of {low} to {high}.",
        "{value} 超出 {low} 至 {high} 的范围。",
        "Choose a value inside.",
        "请选用范围内的值。",
    ),
    "contract-value-twice": _contract(
        "{value} stands on line {first} already.",
        "{value} 已在第 {first} 行出现。",
        "Keep one of the two.",
        "请只保留一处。",
    ),
    "contract-one-schema": _contract(
        "one contract describes one dataset; this one has {count}.",
        "一份数据契约只描述一个数据集，此处有 {count} 个。",
        "Write one file for each dataset.",
        "请为每个数据集单独编写文件。",
    ),
    "contract-name-twice": _contract(
        "the name {value} was given on line {first} already.",
        "名称 {value} 已在第 {first} 行使用。",
        "Give each a name of its own.",
        "请使用不同的名称。",
    ),
    "contract-cubes-stacked": _contract(
        "a second cube over the same subjects could be subtracted from the first, down to small groups.",
        "同一批主体的第二个立方体可与第一个相减，从而推出小群体。",
        "Declare one cube with the dimensions of both; any coarser question is answered from it.",
        "请合并为一个包含全部维度的立方体；较粗的问题可由其作答。",
    ),
    "contract-cube-key-optional": _contract(
        "rows may lack their {subject}; in a cube they would stand unprotected beside those that name one.",
        "本项可为空；缺少 {subject} 主体的行将不受保护地进入立方体。",
        "Set required: true for this key, or declare no cube.",
        "请为该主体键设 required: true，或不声明立方体。",
    ),
    "contract-name-reserved": _contract(
        "{value} is the name of a column that answers have anyway (rows, kept, sum_..., n_..., units_...).",
        "{value} 与答复中固有的列名相同（rows、kept、sum_…、n_…、units_…）。",
        "Choose another name.",
        "请更换名称。",
    ),
    "contract-header-twice": _contract(
        "the delivered file would have the column {value} twice; line {first} has it already.",
        "交付文件将出现重复的列 {value}，第 {first} 行已有。",
        "Give each column a header of its own in physicalName.",
        "请在 physicalName 中为每列指定不同的列名。",
    ),
    "contract-condition-missing": _contract(
        "what is conditional names its condition.",
        "属有条件开放（共享）的，须写明条件。",
        "Add {{property: {property}, value: ...}}.",
        "请补充 {{property: {property}, value: ...}}。",
    ),
    # --- subjects and identifiers -----------------------------------------------------------------
    "contract-subject-not-declared": _contract(
        "this column identifies a subject of kind {subject}, which subjectKinds does not name.",
        "该列标识的主体类型 {subject} 未在 subjectKinds 中声明。",
        "Add {subject} to subjectKinds.",
        "请在 subjectKinds 中加入 {subject}。",
    ),
    "contract-subject-without-key": _contract(
        "the dataset is said to be about {subject}, but no column identifies one.",
        "数据集声明涉及主体 {subject}，但没有标识该主体的列。",
        "Tag the column with {{property: subject, value: {subject}}}, or leave {subject} out.",
        "请为相应列标注 {{property: subject, value: {subject}}}，或删去 {subject}。",
    ),
    "contract-subject-exposed": _contract(
        "a column that identifies a subject has the mask token, not {mask}: no raw identifier is stored.",
        "标识主体的列须使用 token 脱敏，不能是 {mask}：库内不存原始标识。",
        "Set {{property: mask, value: token}}.",
        "请设置 {{property: mask, value: token}}。",
    ),
    "contract-subject-type": _contract(
        "an identifier of 18 characters is text: a number would lose its zeros and its X.",
        "18 位标识是文本；按数字处理会丢失前导零和 X。",
        "Set logicalType: string.",
        "请设置 logicalType: string。",
    ),
    "contract-subject-extra": _contract(
        "a column that identifies a subject has no {key}.",
        "标识主体的列不能带有 {key}。",
        "Remove {key}; the mask token is all the protection there is.",
        "请删除 {key}；主体标识只使用 token 脱敏。",
    ),
    "contract-subject-capability": _contract(
        "a column that identifies a subject can only join; {capabilities} would let a statement aim at one subject.",
        "标识主体的列只能用于 join；{capabilities} 会使语句针对单个主体。",
        "Set capabilities to [join], or leave them out.",
        "请将 capabilities 设为 [join]，或不设。",
    ),
    "contract-token-without-subject": _contract(
        "the mask token is for columns that identify a subject, and this one does not say whom.",
        "token 脱敏只用于标识主体的列，而该列未说明标识谁。",
        "Add {{property: subject, value: person}} or enterprise, or choose another mask.",
        "请补充 {{property: subject, value: person}} 或 enterprise，或改用其他脱敏方式。",
    ),
    "contract-identifier-exposed": _contract(
        "a direct identifier goes to the identity store or nowhere; the mask {mask} would put it beside the data.",
        "直接标识只能存入身份库或不入库；{mask} 会使其与数据同存。",
        "Set the mask to identity or drop.",
        "请将脱敏方式设为 identity 或 drop。",
    ),
    "contract-identity-without-identifier": _contract(
        "the identity store takes direct identifiers only.",
        "身份库只存放直接标识。",
        "Add {{property: identifier, value: true}}, or choose another mask.",
        "请补充 {{property: identifier, value: true}}，或改用其他脱敏方式。",
    ),
    "contract-identity-type": _contract(
        "the identity store keeps text.",
        "身份库只存放文本。",
        "Set logicalType: string.",
        "请设置 logicalType: string。",
    ),
    "contract-identity-without-subject": _contract(
        "the identity store keeps things by subject, and the dataset has none.",
        "身份库按主体存放，而该数据集没有主体。",
        "Set the mask to drop, or declare subjectKinds and the column that identifies the subject.",
        "请将脱敏方式设为 drop，或声明 subjectKinds 及标识主体的列。",
    ),
    "contract-identifier-without-subject": _contract(
        "an identifier of somebody stands in a dataset that says to be about nobody.",
        "数据集声明不涉及任何主体，却含有直接标识。",
        "Declare subjectKinds and the column that identifies the subject, so that groups are counted in people. A column that "
        "identifies none of them, like an office's telephone, is no identifier.",
        "请声明 subjectKinds 及标识主体的列，以便按主体计数保护分组。不标识任何主体的列（如单位电话）不设 identifier。",
    ),
    "contract-cube-about-nobody": _contract(
        "a cube is declared of a dataset about nobody that is not open to all.",
        "数据集不涉及任何主体且未无条件开放，却声明了立方体。",
        "Without subjects to count, a cube shows its smallest groups: open the dataset unconditionally, leave the cubes out, or "
        "declare whom it is about.",
        "没有可计数的主体时，立方体会显示最小的分组：请设为无条件开放，或不设立方体，或声明所涉主体。",
    ),
    # --- capabilities -----------------------------------------------------------------------------
    "contract-capability-without-mask": _contract(
        "nothing is stored under the mask {mask}, so {capabilities} could not be given.",
        "脱敏方式为 {mask} 时不存储该列，无法提供 {capabilities}。",
        "Add {{property: mask, value: keep}} or generalise, or remove the capabilities.",
        "请补充 {{property: mask, value: keep}} 或 generalise，或删除 capabilities。",
    ),
    "contract-join-without-subject": _contract(
        "datasets are joined on subjects only, and this column identifies none.",
        "数据集之间只按主体关联，该列不标识主体。",
        "Remove join, or tag the column with subject.",
        "请删除 join，或为该列标注 subject。",
    ),
    "contract-aggregate-exclusive": _contract(
        "a measure is summed; with {capabilities} its single values would become groups.",
        "度量用于汇总；加上 {capabilities} 会使单个取值成为分组。",
        "Remove {capabilities}, or make the column a band (mask generalise, generaliser band) without aggregate.",
        "请删除 {capabilities}，或改为分档（mask generalise，generaliser band）且不设 aggregate。",
    ),
    "contract-aggregate-type": _contract(
        "{type} cannot be summed.",
        "{type} 类型不能汇总。",
        "Set logicalType to integer or number, or remove aggregate.",
        "请将 logicalType 设为 integer 或 number，或删除 aggregate。",
    ),
    "contract-aggregate-generalised": _contract(
        "a generalised value is a label and cannot be summed.",
        "泛化后的值是标签，不能汇总。",
        "Set the mask to keep, or remove aggregate.",
        "请将脱敏方式设为 keep，或删除 aggregate。",
    ),
    "contract-aggregate-without-bounds": _contract(
        "a measure has bounds: without them one wrong value could show through every total.",
        "度量须有上下限：否则一个异常值会显露在所有合计中。",
        "Add logicalTypeOptions: {{minimum: ..., maximum: ...}}.",
        "请补充 logicalTypeOptions: {{minimum: ..., maximum: ...}}。",
    ),
    "contract-compare-unordered": _contract(
        "{type} has no order, so it cannot be compared.",
        "{type} 没有大小顺序，不能比较。",
        "Remove compare.",
        "请删除 compare。",
    ),
    "contract-compare-without-grid": _contract(
        "a measure is compared on public steps only: with free limits its values could be bisected.",
        "度量只能按公开的档位比较：任意界限会使取值被逐步逼近。",
        "Add {{property: grid, value: [...]}} with ascending steps, or remove compare.",
        "请补充递增的 {{property: grid, value: [...]}}，或删除 compare。",
    ),
    "contract-group-without-domain": _contract(
        "text that groups or filters has public values: free text would print what nobody declared public.",
        "用于分组或筛选的文本须有公开值域：自由文本会输出未声明公开的内容。",
        "Add {{property: domain, value: [...]}}, a generaliser, or remove the capabilities.",
        "请补充 {{property: domain, value: [...]}} 或 generaliser，或删除相应能力。",
    ),
    # --- generalisers, figures, domains ------------------------------------------------------------
    "contract-generaliser-missing": _contract(
        "the mask generalise does not say how.",
        "generalise 未说明泛化方法。",
        "Add {{property: generaliser, value: year}}, month, quarter, region or band.",
        "请补充 {{property: generaliser, value: year}}，或 month、quarter、region、band。",
    ),
    "contract-generaliser-idle": _contract(
        "the generaliser would not be applied under the mask {mask}.",
        "脱敏方式为 {mask} 时不会应用泛化。",
        "Set {{property: mask, value: generalise}}, or remove the generaliser.",
        "请设置 {{property: mask, value: generalise}}，或删除 generaliser。",
    ),
    "contract-generaliser-type": _contract(
        "{generaliser} cannot be made of {type}.",
        "{type} 类型不能按 {generaliser} 泛化。",
        "It is made of: {known}.",
        "适用类型：{known}。",
    ),
    "contract-band-without-grid": _contract(
        "a band needs its steps.",
        "分档须给出档位。",
        "Add {{property: grid, value: [...]}} with at least two ascending steps.",
        "请补充至少两个递增值的 {{property: grid, value: [...]}}。",
    ),
    "contract-grid-idle": _contract(
        "nothing uses these steps: no band is made and the column is not compared.",
        "档位没有用处：该列既不分档也不比较。",
        "Remove the grid, or add the generaliser band or the capability compare.",
        "请删除 grid，或补充 band 泛化或 compare 能力。",
    ),
    "contract-grid-order": _contract(
        "steps are at least two, and each is greater than the one before.",
        "档位至少两个，且须逐个递增。",
        "Sort them and remove repetitions.",
        "请排序并去除重复。",
    ),
    "contract-bounds-half": _contract(
        "bounds have two ends, and {missing} is missing.",
        "上下限须成对，缺少 {missing}。",
        "Add {missing}.",
        "请补充 {missing}。",
    ),
    "contract-bounds-order": _contract(
        "the minimum {low} is greater than the maximum {high}.",
        "下限 {low} 大于上限 {high}。",
        "Exchange them.",
        "请调换。",
    ),
    "contract-scale-missing": _contract(
        "a number says how many digits it has after the point.",
        "number 类型须说明小数位数。",
        "Add multipleOf: 0.01 (or 1, 0.1 ...) to logicalTypeOptions.",
        "请在 logicalTypeOptions 中补充 multipleOf: 0.01（或 1、0.1 等）。",
    ),
    "contract-figure-does-not-fit": _contract(
        "{value} is no value of this column, which has {digits} digits before the point and {scale} after it.",
        "{value} 不是该列的取值：整数部分 {digits} 位，小数部分 {scale} 位。",
        "Shorten the figure, or state a finer multipleOf.",
        "请修改该值，或调整 multipleOf。",
    ),
    "contract-pattern-invalid": _contract(
        "{value} is no pattern: {problem}.",
        "{value} 不是有效的正则表达式：{problem}。",
        "Write it in RE2 syntax: no look-around, no back-references.",
        "请使用 RE2 语法，不含环视和反向引用。",
    ),
    "contract-domain-size": _contract(
        "{count} public values; 1 to {limit} can be listed.",
        "值域共 {count} 个值，可列 1 至 {limit} 个。",
        "List the values, or use a generaliser.",
        "请列出取值，或改用泛化。",
    ),
    "contract-domain-comma": _contract(
        "{value} is one value to YAML: the full-width comma in it parts nothing.",
        "{value} 会被读作一个值：其中的全角逗号不起分隔作用。",
        "Part the values with the half-width comma and a space; a value that holds a full-width comma stands in quotes.",
        "请用半角逗号加空格分隔各值；值本身确含全角逗号的，须加引号。",
    ),
    "contract-domain-not-text": _contract(
        "public values are texts, and the column is {type}.",
        "值域由文本组成，而该列为 {type}。",
        "Set logicalType: string, or state minimum and maximum instead.",
        "请设置 logicalType: string，或改用 minimum 和 maximum。",
    ),
    # --- cubes and maintained state ------------------------------------------------------------------
    "contract-item-unknown": _contract(
        "the dataset has no item {item}.",
        "数据集没有信息项 {item}。",
        "Name an item by its `name`.",
        "请使用信息项的 name。",
    ),
    "contract-dim-without-group": _contract(
        "{item} cannot be a dimension: it does not have the capability group, or it is a measure or a key.",
        "{item} 不能作为维度：它没有 group 能力，或属于度量、标识。",
        "Add group to the capabilities of {item}, or leave it out of the cube.",
        "请为 {item} 增加 group 能力，或从立方体中删去。",
    ),
    "contract-dim-type": _contract(
        "{item} is of type {type}; dimensions are text or integer.",
        "{item} 为 {type} 类型；维度须为文本或整数。",
        "Give it a generaliser (a date becomes year, quarter or month), make of a boolean a text with domain: [是, 否], "
        "or leave it out of the cube.",
        "请设置泛化（日期可按 year、quarter、month）；是否类改为 domain: [是, 否] 的文本；或从立方体中删去。",
    ),
    "contract-measure-without-aggregate": _contract(
        "{item} is no measure: it does not have the capability aggregate.",
        "{item} 不是度量：它没有 aggregate 能力。",
        "Add aggregate and bounds to {item}, or leave it out of the cube.",
        "请为 {item} 增加 aggregate 能力和上下限，或从立方体中删去。",
    ),
    "contract-latest-not-date": _contract(
        "{item} is of type {type}; the newest date is kept of a date.",
        "{item} 为 {type} 类型；最新日期只能取自日期列。",
        "Name an item of logicalType date.",
        "请指定 logicalType 为 date 的信息项。",
    ),
    "contract-latest-not-kept": _contract(
        "{item} has the mask {mask}; the newest date is kept of dates that are stored as they are.",
        "{item} 的脱敏方式为 {mask}；最新日期只能取自原样存储的日期。",
        "Set the mask of {item} to keep; without capabilities no statement can read it.",
        "请将 {item} 的脱敏方式设为 keep；不设 capabilities 即不可查询。",
    ),
    "contract-latest-without-person": _contract(
        "the newest date of {item} is kept per person, and the dataset is about none.",
        "{item} 的最新日期按人保存，而该数据集不涉及个人。",
        "Add person to subjectKinds, or remove latest.",
        "请在 subjectKinds 中加入 person，或删除 latest。",
    ),
    # --- the catalogue -----------------------------------------------------------------------------
    "unknown-dataset": Rule(
        en="The catalogue has no dataset {dataset}.",
        zh="目录中没有数据集 {dataset}。",
        remedy_en="{meant_en}Names: zhanqiao catalogue show. A new dataset is described with zhanqiao catalogue add.",
        remedy_zh="{meant_zh}可用 zhanqiao catalogue show 查看名称；新数据集用 zhanqiao catalogue add 编目。",
        exit_status=NOT_FOUND,
        http_status=404,
    ),
    "dataset-changed": Rule(
        en="The dataset {dataset} was described anew while it was asked for.",
        zh="数据集 {dataset} 在请求期间重新编目。",
        remedy_en="Ask again, with the same --request, once it is loaded under its new contract: what was charged stays so.",
        remedy_zh="请在其按新契约入库后以相同的 --request 重新请求，不重复计次。",
        http_status=409,
    ),
    "snapshot-superseded": Rule(
        en="The answer was read from a snapshot of {dataset} that was not the published one.",
        zh="该答复所用的 {dataset} 快照并非当时发布的快照。",
        remedy_en="Have the audit administrator look at the state and the ledger.",
        remedy_zh="请由审计管理员核查状态库与账本。",
        http_status=409,
    ),
    "dataset-code-taken": Rule(
        en="The catalogue code {code} belongs to the dataset {dataset} already.",
        zh="目录代码 {code} 已属于数据集 {dataset}。",
        remedy_en="Give the new dataset a code of its own in `id`.",
        remedy_zh="请在 id 中为新数据集使用单独的代码。",
        http_status=409,
    ),
    "contract-department-changed": Rule(
        "The dataset {dataset} belongs to {department}; a contract that names {named} cannot take it over.",
        "数据集 {dataset} 属于 {department}，写明 {named} 的契约不能接管它。",
        "Keep the department, or describe the data under a new name and code.",
        "请保持部门不变，或以新的名称和编码另行描述。",
    ),
    "contract-key-dropped": Rule(
        "This version of {dataset} no longer stores a key that identifies its subjects ({kinds}).",
        "{dataset} 的这一版本不再保存标识其主体（{kinds}）的列。",
        "Keep the key: groups are protected by counting its subjects. Describe data about nobody under a new name and code.",
        "请保留该列：统计保护以其主体计数为据。不涉及主体的数据请以新的名称和编码另行描述。",
    ),
    "contract-withdraws": Rule(
        en=(
            "{dataset} has {rows} published rows, which are read under their own contract only: version {version} would "
            "take them out of use, and no lower version could follow."
        ),
        zh="{dataset} 已发布 {rows} 行，只能按其入库时的契约读取：版本 {version} 生效后将停用，且不能再换回较低版本。",
        remedy_en=(
            "Have at hand what has to be delivered again (where deliveries are appended, all of them), then repeat with "
            "--withdraw."
        ),
        remedy_zh="请先备齐须重新归集的数据（若为追加式归集，则须全部批次），再加 --withdraw 重试。",
        http_status=409,
    ),
    "contract-version-not-higher": Rule(
        en="{dataset} stands at version {current}, and this other contract calls itself {version}.",
        zh="{dataset} 的当前版本为 {current}，而这份不同的契约版本号为 {version}。",
        remedy_en="Raise `version` above {current}: what was agreed on under a version stays what it was.",
        remedy_zh="请将 version 提高到 {current} 以上：已据以授权的版本不得改变。",
        http_status=409,
    ),
    "contract-version-too-far": Rule(
        en="{dataset} stands at version {current}, and this contract jumps to {version}: little or nothing could follow it.",
        zh="{dataset} 的当前版本为 {current}，而这份契约跳到 {version}：此后将难以再有新版本。",
        remedy_en="Raise the first part that changes by at most {most}.",
        remedy_zh="首个变化的部分最多提高 {most}。",
        http_status=409,
    ),
    "national-code-unknown": Rule(
        en="{value} is no code of {element} in the national metadata standard.",
        zh="{value} 不是国家元数据标准中“{element}”的代码。",
        remedy_en="Use one of: {known}.",
        remedy_zh="可用的代码：{known}。",
        http_status=422,
    ),
    "national-element-missing": Rule(
        en="The element {element} of the national metadata standard is missing.",
        zh="缺少国家元数据标准的“{element}”。",
        remedy_en="Fill it in at the source catalogue and export again.",
        remedy_zh="请在来源目录中补充后重新导出。",
        http_status=422,
    ),
}
