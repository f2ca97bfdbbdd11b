# SPDX-License-Identifier: Apache-2.0
"""Refusals and findings of running a deployment: backup, restore, examination, upgrade."""

from zhanqiao.terms.refusals.rule import FAULT, REFUSED, USAGE, Rule

ROWS: dict[str, Rule] = {
    "backup-not-written": Rule(
        en="The backup could not be written to {file}: {cause}. The deployment is as it was.",
        zh="备份无法写入 {file}：{cause}。部署未受影响。",
        remedy_en="Give a place where you may write, on another disk than the deployment's.",
        remedy_zh="请指定可写的位置，且与部署不在同一磁盘。",
        exit_status=FAULT,
        http_status=500,
    ),
    "home-of-another": Rule(
        en="{home} belongs to {owner}: what somebody else writes there, root too, its owner could not read.",
        zh="{home} 属于用户 {owner}：其他用户（包括 root）写入的文件，其所有者无法读取。",
        remedy_en="Run it as that user: `sudo -u {owner} zhanqiao ...`.",
        remedy_zh="请以该用户执行：`sudo -u {owner} zhanqiao ...`。",
        exit_status=FAULT,
        http_status=500,
    ),
    "keys-sealed": Rule(
        en="The deployment's keys are sealed: nothing can be read, signed or answered.",
        zh="部署的密钥处于封存状态：不能读取、签署或答复。",
        remedy_en="`zhanqiao keys unseal` with the shares of {threshold} of: {custodians}.",
        remedy_zh="请由以下人员中的 {threshold} 人出示份额，执行 `zhanqiao keys unseal`：{custodians}。",
        exit_status=FAULT,
        http_status=503,
    ),
    "keys-not-sealed": Rule(
        en="The keys of {home} are not sealed.",
        zh="{home} 的密钥未封存。",
        remedy_en="`zhanqiao keys split` seals them and makes the shares.",
        remedy_zh="请执行 `zhanqiao keys split` 封存密钥并生成份额。",
        exit_status=REFUSED,
        http_status=409,
    ),
    "gateway-root": Rule(
        en="`gateway_user` names {user}, a user with root's rights (uid 0): who takes the gateway over has everything.",
        zh="`gateway_user` 所指的 {user} 拥有 root 权限（uid 0）：网关一旦被攻破即失去一切。",
        remedy_en="Name a user of its own in `gateway_user` (`useradd --system`), which has no other task.",
        remedy_zh="请在 `gateway_user` 中指定网关专用的系统用户（`useradd --system`）。",
        exit_status=FAULT,
        http_status=500,
    ),
    "listen-malformed": Rule(
        en="{listen} is no address to listen at: it lacks a host or a port.",
        zh="{listen} 不是可监听的地址：缺少主机或端口。",
        remedy_en="Write HOST:PORT in zhanqiao.toml, e.g. 127.0.0.1:8443.",
        remedy_zh="请在 zhanqiao.toml 中写作“主机:端口”，例如 127.0.0.1:8443。",
        exit_status=FAULT,
        http_status=500,
    ),
    "port-out-of-range": Rule(
        en="{listen} is no address to listen at: ports end at {last}.",
        zh="{listen} 不是可监听的地址：端口最大为 {last}。",
        remedy_en="Write HOST:PORT in zhanqiao.toml, e.g. 127.0.0.1:8443; with port 0 the machine chooses one.",
        remedy_zh="请在 zhanqiao.toml 中写作“主机:端口”，例如 127.0.0.1:8443；端口 0 由系统选定。",
        exit_status=FAULT,
        http_status=500,
    ),
    "keys-sealed-already": Rule(
        en="The keys are sealed: nothing of them lay in memory.",
        zh="密钥已处于封存状态：内存中没有密钥。",
        remedy_en="Nothing is to be done.",
        remedy_zh="无需操作。",
        exit_status=REFUSED,
        http_status=409,
    ),
    "keys-in-memory-still": Rule(
        en="The keys could not be taken out of memory: {cause}.",
        zh="未能将密钥清出内存：{cause}。",
        remedy_en="Remove that folder as root, or restart the machine.",
        remedy_zh="请以 root 删除该目录，或重启本机。",
        exit_status=FAULT,
        http_status=500,
    ),
    "sealed-unlogged": Rule(
        en="The keys are sealed and out of memory, but the log does not say so:",
        zh="密钥已封存并清出内存，但未能记入账本：",
        remedy_en="Mend what is named here; opening them is logged again.",
        remedy_zh="请处理下列问题；下次启封仍会记入账本。",
        exit_status=FAULT,
        http_status=500,
    ),
    "keys-not-there": Rule(
        en="{folder} is no copy of a deployment's keys folder: neither keys nor sealed.json lie in it.",
        zh="{folder} 不是部署 keys 目录的副本：其中既无密钥，也无 sealed.json。",
        remedy_en="Give the copy of keys/ itself with --keys, with ledger/ and vault/ in it.",
        remedy_zh="请用 --keys 指定 keys 目录的副本本身（其中含 ledger/ 与 vault/）。",
        exit_status=REFUSED,
        http_status=422,
    ),
    "keys-open-already": Rule(
        en="The keys of {home} are open already.",
        zh="{home} 的密钥已经启封。",
        remedy_en="Nothing is to be done.",
        remedy_zh="无需操作。",
        exit_status=REFUSED,
        http_status=409,
    ),
    "memory-missing": Rule(
        en="{folder} is no memory on this machine: keys that are opened there would reach a disk.",
        zh="本机的 {folder} 不是内存文件系统：在该处启封会使密钥落盘。",
        remedy_en="Mount a tmpfs there.",
        remedy_zh="请在该处挂载 tmpfs。",
        exit_status=FAULT,
        http_status=500,
    ),
    "keys-away": Rule(
        en="The sealed keys of {home} are not there; those that lie open in memory stay, as they may be the last copy.",
        zh="{home} 的封存密钥不在原处；内存中启封的密钥可能是最后一份，予以保留。",
        remedy_en="Bring back the keys folder with `sealed.json`, from its medium or its copy, and repeat.",
        remedy_zh="请从介质或副本取回含 `sealed.json` 的 keys 目录后重试。",
        exit_status=FAULT,
        http_status=500,
    ),
    "custodian-twice": Rule(
        en="{custodian} is named twice, and a custodian holds one share.",
        zh="{custodian} 列出两次，而每名保管人只持一份。",
        remedy_en="Name each custodian once.",
        remedy_zh="请将每名保管人列出一次。",
        exit_status=USAGE,
        http_status=422,
    ),
    "shares-threshold": Rule(
        en="{threshold} of {count} custodians is no way to share keys.",
        zh="{count} 名保管人中取 {threshold} 份，不能用于分存密钥。",
        remedy_en="Name up to 16 people; at least two of them open the keys, 3 of 5 for example.",
        remedy_zh="请列出至多 16 名保管人；启封至少须两份，例如 5 份取 3。",
        exit_status=USAGE,
        http_status=422,
    ),
    "shares-inside": Rule(
        en="{folder} lies in the deployment itself: whoever finds its disk would find the shares as well.",
        zh="{folder} 位于部署目录之内：取得磁盘者将同时取得份额。",
        remedy_en="Give a folder elsewhere, best on a medium that is taken away.",
        remedy_zh="请指定部署之外的目录，最好在可移除的介质上。",
        exit_status=USAGE,
        http_status=409,
    ),
    "shares-not-asked": Rule(
        en="The shares could not be asked for: there is no terminal, and no descriptor gave them.",
        zh="无法询问份额：没有终端，也未由描述符提供。",
        remedy_en="Work at a terminal, or give them with --shares-fd, one a line.",
        remedy_zh="请在终端操作，或以 --shares-fd 逐行提供。",
        exit_status=USAGE,
        http_status=422,
    ),
    "share-malformed": Rule(
        en="Share {place} of those given is mistyped.",
        zh="所给的第 {place} 份有误，疑为录入错误。",
        remedy_en="Type it as it was handed out: a set, a number, eight groups of four digits, a check; however they are parted.",
        remedy_zh="请按发放时的内容录入：组号、编号、八组四位数字、校验码；分隔符不限。",
        exit_status=REFUSED,
        http_status=422,
    ),
    "share-of-another-set": Rule(
        en="Share {place} of those given belongs to other keys, or to shares that were replaced.",
        zh="所给的第 {place} 份属于其他密钥，或属于已被更换的份额。",
        remedy_en="The shares that open these keys begin with {set}.",
        remedy_zh="可启封本密钥的份额以 {set} 开头。",
        exit_status=REFUSED,
        http_status=422,
    ),
    "share-twice": Rule(
        en="Share {place} of those given is number {number} once more.",
        zh="所给的第 {place} 份与编号 {number} 重复。",
        remedy_en="Each custodian gives a share of his own.",
        remedy_zh="请由每位保管人出示各自的份额。",
        exit_status=REFUSED,
        http_status=422,
    ),
    "shares-too-few": Rule(
        en="{given} shares were given, and {threshold} are needed.",
        zh="仅提供 {given} 份，需要 {threshold} 份。",
        remedy_en="Have more custodians give theirs; fewer tell nothing about the keys.",
        remedy_zh="请由更多保管人出示份额；不足数的份额不泄露任何信息。",
        exit_status=REFUSED,
        http_status=422,
    ),
    "shares-wrong": Rule(
        en="The {given} shares are well written, and do not open these keys together.",
        zh="所给 {given} 份书写无误，但合在一起不能启封本密钥。",
        remedy_en="One of them was forged or altered: try with other custodians.",
        remedy_zh="其中有份额被伪造或改动，请换其他保管人再试。",
        exit_status=REFUSED,
        http_status=422,
    ),
    "backup-malformed": Rule(
        en="{file} is no backup that can be restored: {cause}. Nothing was left behind.",
        zh="{file} 不是可恢复的备份：{cause}。未留下任何内容。",
        remedy_en="Take another backup, and the keys that belong to it.",
        remedy_zh="请换用另一份备份及与之相配的密钥。",
        exit_status=REFUSED,
        http_status=422,
    ),
    "backup-foreign": Rule(
        en="{file} was not signed by the log whose keys were given: {cause}. Nothing in it was believed, nothing left behind.",
        zh="{file} 并非由所给密钥的账本签署：{cause}。其中内容一概未采信，未留下任何内容。",
        remedy_en="Give the keys that belong to it. If these are they, somebody altered it or made it up: take another backup.",
        remedy_zh="请提供与之相配的密钥；若密钥无误，则备份遭人改动或伪造，请换用另一份。",
        exit_status=REFUSED,
        http_status=422,
    ),
    "backup-behind": Rule(
        en=(
            "The backup has {held} entries of the log, and a checkpoint showed {shown}: going on from here would tell the "
            "missing ones a second time, differently."
        ),
        zh="备份中账本有 {held} 条记录，而已公布的检查点为 {shown} 条：若由此继续，缺失的记录将出现第二种说法。",
        remedy_en=(
            "Restore a newer backup, or the disk itself; otherwise found a new log, whose name says that it is new. Where "
            "nothing that came after the backup ever left the house, --no-checkpoint says so."
        ),
        remedy_zh=(
            "请恢复更新的备份或原磁盘；否则须以新名称建立新账本。若备份之后的内容从未流出，可用 --no-checkpoint 声明。"
        ),
        exit_status=REFUSED,
        http_status=409,
    ),
    "checkpoint-not-ours": Rule(
        en="The checkpoint is not one of this log: {cause}.",
        zh="该检查点不属于本账本：{cause}。",
        remedy_en="Give the file `ledger/checkpoint` as the log last showed it, or a witness's copy of it.",
        remedy_zh="请提供账本最后公布的 `ledger/checkpoint` 文件，或见证方保存的副本。",
        exit_status=REFUSED,
        http_status=422,
    ),
    "checkpoint-not-said": Rule(
        en="Whether anybody holds a newer checkpoint than the backup was not said, or both yes and no.",
        zh="未说明是否有人持有比备份更新的检查点，或说法自相矛盾。",
        remedy_en="Give the newest with --checkpoint, or say with --no-checkpoint that none left the house since.",
        remedy_zh="请用 --checkpoint 提供最新检查点，或用 --no-checkpoint 声明此后未公布任何检查点。",
        exit_status=USAGE,
        http_status=400,
    ),
    "state-older": Rule(
        en="The platform's state was made by an older version: {migrations} were not done to it yet.",
        zh="平台状态由较旧版本建立，尚未执行：{migrations}。",
        remedy_en=(
            "Make a backup with the older version, then run `zhanqiao upgrade`, which takes shares where the keys are "
            "sealed. Nothing was changed."
        ),
        remedy_zh=("请先用旧版本备份，再执行 `zhanqiao upgrade`（密钥封存时由保管人出示份额）。未更改任何内容。"),
        exit_status=FAULT,
        http_status=500,
    ),
    "state-relabelled": Rule(
        en=(
            "The platform's state says that {migrations} were not done to it, and its tables say otherwise: {cause}. "
            "Somebody edited it."
        ),
        zh="平台状态称尚未执行 {migrations}，但其中的表与此不符：{cause}。状态曾遭改动。",
        remedy_en="Stop, keep the file as evidence, and restore from backup. `zhanqiao upgrade` mends nothing here.",
        remedy_zh="请停止使用，保留文件作为证据，并从备份恢复；`zhanqiao upgrade` 无法修复。",
        exit_status=FAULT,
        http_status=500,
    ),
    "state-newer": Rule(
        en="The platform's state was made by a newer version: {migrations} are not known here.",
        zh="平台状态由较新版本建立，本版本不认识：{migrations}。",
        remedy_en="Install the version that worked here last, or restore a backup that the present one made.",
        remedy_zh="请安装此前使用的版本，或恢复由当前版本所作的备份。",
        exit_status=FAULT,
        http_status=500,
    ),
    # --- what an examination finds ------------------------------------------------------------------
    "owner-differs": Rule(
        en="{path} belongs to user {owner}, and another one works here.",
        zh="{path} 属于用户 {owner}，与当前操作用户不同。",
        remedy_en="Run as the deployment's own user, or give it the whole folder (`chown -R`).",
        remedy_zh="请以部署所属用户运行，或将整个目录归其所有（`chown -R`）。",
    ),
    "rights-too-wide": Rule(
        en="{path} can be reached by others than its owner (mode {mode}).",
        zh="{path} 可被其他用户访问（权限 {mode}）。",
        remedy_en="Run `chmod -R go=` on it.",
        remedy_zh="请对其执行 `chmod -R go=`。",
    ),
    "right-linked": Rule(
        en="{path} has another name, or is one for something else: by it others may reach what the folder keeps from them.",
        zh="{path} 另有名称或指向别处：他人可能借此绕过目录权限。",
        remedy_en="Find the other name (`find -samefile`), and put a file of its own here.",
        remedy_zh="请用 `find -samefile` 找出另一名称，并在此处换成独立的文件。",
    ),
    "right-listed": Rule(
        en="{path} carries an access list, which lets in more than its mode says.",
        zh="{path} 设有访问控制列表，实际可访问者多于其权限位。",
        remedy_en="Look at it with `getfacl`, and remove it with `setfacl -b`.",
        remedy_zh="请用 `getfacl` 查看，并用 `setfacl -b` 移除。",
    ),
    "file-stray": Rule(
        en="{path} is no file that the platform writes.",
        zh="{path} 不是平台写出的文件。",
        remedy_en="Find out who put it there and what it holds, and remove it: a copy of rows or of a key opens to whoever reads it.",
        remedy_zh="请查明由谁放置、内容为何，并予移除：数据或密钥的副本对任何读到它的人都是敞开的。",
    ),
    "file-unfinished": Rule(
        en="{path} is named as a file that is being written, and nobody writes it.",
        zh="{path} 的名称表明它正在写入，但并无进程在写。",
        remedy_en=(
            "A process that died left it, or somebody put it there: `zhanqiao intake sweep` removes those of the vault and "
            "of the ledger; find out whose another is, and remove it."
        ),
        remedy_zh="它由中断的进程遗留，或由他人放置：`zhanqiao intake sweep` 可清除库房与账本中的此类文件；其他的请查明由谁放置并移除。",
    ),
    "right-above": Rule(
        en="Another user may write in {path}, and so put another folder where this deployment is.",
        zh="其他用户可写 {path}，因而能在本部署处换上别的目录。",
        remedy_en="Give it to root, and take writing from others (`chmod go-w`), or move the deployment.",
        remedy_zh="请将其归 root 所有并取消他人写权限（`chmod go-w`），或迁移部署。",
    ),
    "right-engine": Rule(
        en="The engine did what it must refuse: {act}.",
        zh="计算引擎执行了本应拒绝的操作：{act}。",
        remedy_en="Stop, and install the locked packages anew; this engine is not the one that was examined.",
        remedy_zh="请停止使用并重新安装锁定版本的软件包；该引擎并非经过检验的版本。",
    ),
    "key-copied": Rule(
        en="{path} holds a key of the platform, or a custodian's share.",
        zh="{path} 含有平台密钥或保管人份额。",
        remedy_en="Find out who put it there, and remove it; if anybody else may have read it, the keys are lost.",
        remedy_zh="请查明由谁放置，并予移除；若他人可能已读到，则密钥已泄露。",
    ),
    "seal-of-another-set": Rule(
        en="The keys are sealed for the shares that begin with {set}; the log says that those of {logged} are in force.",
        zh="密钥现由以 {set} 开头的份额封存，而账本所载的现行份额为 {logged}。",
        remedy_en="Somebody put a former sealed.json back, or a split died: find out which, and run `zhanqiao keys split` again.",
        remedy_zh="有人换回了旧的 sealed.json，或封存曾中断：请查明原因，并重新执行 `zhanqiao keys split`。",
    ),
    "right-unread": Rule(
        en="What {path} holds could not be seen: {cause}.",
        zh="无法查看 {path} 的内容：{cause}。",
        remedy_en="Find out whose it is, and look into it as root.",
        remedy_zh="请查明其所属，并以 root 查看。",
    ),
    "right-unsealed": Rule(
        en="{path} opens without a key.",
        zh="{path} 无需密钥即可打开。",
        remedy_en="Stop, keep the file as evidence, and restore from backup: nobody here writes such a file.",
        remedy_zh="请停止使用，保留该文件作为证据，并从备份恢复：本系统从不写出这样的文件。",
    ),
    "key-stray": Rule(
        en="{path} is neither a key of the platform nor the one that somebody in service uses.",
        zh="{path} 既非平台密钥，也不是任何在岗人员现用的密钥。",
        remedy_en="Find out who put it there, and remove it.",
        remedy_zh="请查明由谁放置，并予移除。",
    ),
    "key-left-open": Rule(
        en="{path} lies open on the disk, although the keys are sealed.",
        zh="密钥已封存，而 {path} 仍以明文存于磁盘。",
        remedy_en="`zhanqiao keys seal` removes it.",
        remedy_zh="执行 `zhanqiao keys seal` 即可移除。",
    ),
    "key-lies-open": Rule(
        en="{path} is a person's key without a passphrase: whoever reads the file can act as that person.",
        zh="{path} 是未加口令的人员密钥：读到该文件者即可冒用其身份。",
        remedy_en="Replace it (`zhanqiao people key`), and let each person keep the new one.",
        remedy_zh="请更换密钥（`zhanqiao people key`），新密钥由本人保管。",
    ),
    "room-low": Rule(
        en="Little room is left on the disk: {free} MiB, {percent} %.",
        zh="磁盘剩余空间不足：{free} MiB，{percent} %。",
        remedy_en="Make room before the next delivery; a full disk stops work, and loses nothing.",
        remedy_zh="请在下次归集前释放空间；磁盘写满会中断工作，但不丢失数据。",
    ),
    "disk-fleeting": Rule(
        en="The deployment lies on {kind}, which is empty after a restart of the machine.",
        zh="部署位于 {kind}，机器重启后即消失。",
        remedy_en="Move it to a disk.",
        remedy_zh="请移到磁盘上。",
    ),
    "disk-foreign": Rule(
        en="The deployment lies on {kind}, where locks and syncs are another machine's promise.",
        zh="部署位于 {kind}，其文件锁与落盘取决于另一台机器。",
        remedy_en="Move it to a disk of this machine.",
        remedy_zh="请移到本机磁盘上。",
    ),
    "clock-behind-log": Rule(
        en="The clock is {seconds} s behind the newest entry of the log.",
        zh="时钟比账本最新记录慢 {seconds} 秒。",
        remedy_en="Set the machine's clock by a time server; validity of agreements and consents is judged by it.",
        remedy_zh="请用时间服务器校准本机时钟；合约与同意的有效期均以其为准。",
    ),
    "part-missing": Rule(
        en="The published data is not whole: {part} is missing.",
        zh="已发布的数据不完整：缺少 {part}。",
        remedy_en="Put that part back from a backup, or have the department deliver the dataset again.",
        remedy_zh="请从备份放回该部分，或由部门重新报送该数据集。",
    ),
    "wall-witnesses-unheard": Rule(
        en="Fewer witnesses than {quorum} have cosigned the log within {seconds} s: they are asked before the next answer, and without them nothing new leaves.",
        zh="{seconds} 秒内联署账本的见证方少于 {quorum} 个：下次答复前将先征询，未达联署数则不再有新的出库。",
        remedy_en="Run `zhanqiao ledger cosign`, which asks them now and says how each of them answers.",
        remedy_zh="请执行 `zhanqiao ledger cosign`，即时征询并查看各见证方的答复。",
    ),
    "wall-one-user": Rule(
        en="All parts of the platform run as one user ({user}): who takes over one of them has keys and data.",
        zh="平台各部分以同一用户（{user}）运行：攻破其一即可接触密钥与数据。",
        remedy_en="Give `gateway_user` in zhanqiao.toml, for when it is served; nobody but operators may have an account on this machine.",
        remedy_zh="对外提供服务时，请在 zhanqiao.toml 中设置 `gateway_user`；除运维人员外，本机不应有其他账户。",
    ),
    "wall-keys-beside-data": Rule(
        en="The keys lie on the same disk as the data: who takes the disk has both.",
        zh="密钥与数据在同一磁盘：取走磁盘即两者兼得。",
        remedy_en="Mount another disk at keys/, or encrypt the disk.",
        remedy_zh="请将 keys/ 挂载到另一磁盘，或对磁盘加密。",
    ),
    "wall-keys-unsealed": Rule(
        en="The keys lie open on a disk: who takes it, or its image, has them.",
        zh="密钥以明文存于磁盘：取走磁盘或其映像者即得密钥。",
        remedy_en=(
            "`zhanqiao keys split` seals them and gives each custodian a share; what one that died left of them, "
            "`zhanqiao keys unseal` removes."
        ),
        remedy_zh=(
            "请执行 `zhanqiao keys split` 封存密钥，并将份额分交保管人；中断的封存所留明文由 `zhanqiao keys unseal` 清除。"
        ),
    ),
    "wall-swap": Rule(
        en="The machine swaps: memory with keys and rows in it may reach the disk in the clear.",
        zh="本机启用了交换空间：含密钥与数据的内存可能以明文写入磁盘。",
        remedy_en="Switch it off (`swapoff -a`), or encrypt it.",
        remedy_zh="请关闭（`swapoff -a`）或加密交换空间。",
    ),
    "wall-nobody": Rule(
        en="Nobody is registered: nothing could be described, agreed or asked.",
        zh="尚未登记任何人员：无法编目、签约或提问。",
        remedy_en="`zhanqiao people found FILE` registers the first organisations and people.",
        remedy_zh="请执行 `zhanqiao people found FILE`，登记首批机构与人员。",
    ),
    "wall-one-administrator": Rule(
        en="Nobody in office but {person} holds the role {role}: nobody could act for it when that one key is lost.",
        zh="在任人员中只有 {person} 担任 {role}：其密钥一旦丢失，无人可以代行。",
        remedy_en="Give the role to a second person, whose key is kept elsewhere (`zhanqiao people role`).",
        remedy_zh="请将该角色授予第二人，其密钥另行保管（`zhanqiao people role`）。",
    ),
    "wall-custodian-left": Rule(
        en="{person} holds a share of the keys, and is not in service any more.",
        zh="{person} 持有密钥份额，但已不在岗。",
        remedy_en="`zhanqiao keys split` with those who are; then destroy former copies of the keys folder.",
        remedy_zh="请由在岗人员重新执行 `zhanqiao keys split`，并销毁 keys 目录的旧副本。",
    ),
    "backup-never": Rule(
        en="This deployment was never backed up.",
        zh="本部署从未备份。",
        remedy_en="Run `zhanqiao backup FILE`, and keep a copy of keys/ apart from it.",
        remedy_zh="请执行 `zhanqiao backup 文件`，并将 keys/ 的副本另行保管。",
    ),
    "backup-old": Rule(
        en="The last backup is of {day}.",
        zh="最近一次备份在 {day}。",
        remedy_en="Run `zhanqiao backup FILE` every night.",
        remedy_zh="请每晚执行 `zhanqiao backup 文件`。",
    ),
}
