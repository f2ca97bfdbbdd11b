# SPDX-License-Identifier: Apache-2.0
"""Refusals and findings of running a deployment: backup, restore, examination, upgrade."""

from zhanqiao.terms.refusals.rule import FAULT, REFUSED, USAGE, Rule

ROWS: dict[str, Rule] = {
    "backup-file-exists": Rule(
        en="{file} stands there already, and a backup never replaces one.",
        zh="{file} 已存在；备份不会覆盖已有文件。",
        remedy_en="Give another name, with the day in it for example.",
        remedy_zh="请换一个文件名，例如带上日期。",
        exit_status=USAGE,
        http_status=409,
    ),
    "backup-inside": Rule(
        en="{file} lies in the deployment itself: what loses one loses both.",
        zh="{file} 位于部署目录之内：部署一旦丢失，备份也随之丢失。",
        remedy_en="Give a place outside of it, on another disk.",
        remedy_zh="请指定部署之外、且在另一磁盘上的位置。",
        exit_status=USAGE,
        http_status=409,
    ),
    "backup-not-written": Rule(
        en="The backup could not be written to {file}: {cause}. The deployment is as it was.",
        zh="备份无法写入 {file}：{cause}。部署未受影响。",
        remedy_en="Give a place where you may write, on another disk than the deployment's.",
        remedy_zh="请指定可写的位置，且与部署不在同一磁盘。",
        exit_status=FAULT,
        http_status=500,
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
        remedy_en="Restore a newer backup, or the disk itself; otherwise found a new log, whose name says that it is new.",
        remedy_zh="请恢复更新的备份或原磁盘；否则须以新名称建立新账本。",
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
        en="Whether anybody holds a newer checkpoint than the backup was not said.",
        zh="未说明是否有人持有比备份更新的检查点。",
        remedy_en="Give the newest with --checkpoint, or say with --no-checkpoint that none left the house since.",
        remedy_zh="请用 --checkpoint 提供最新检查点，或用 --no-checkpoint 声明此后未公布任何检查点。",
        exit_status=USAGE,
        http_status=400,
    ),
    "state-older": Rule(
        en="The platform's state was made by an older version: {migrations} were not done to it yet.",
        zh="平台状态由较旧版本建立，尚未执行：{migrations}。",
        remedy_en="Make a backup with the older version, then run `zhanqiao upgrade`. Nothing was changed.",
        remedy_zh="请先用旧版本备份，再执行 `zhanqiao upgrade`。未更改任何内容。",
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
    "wall-swap": Rule(
        en="The machine swaps: memory with keys and rows in it may reach the disk in the clear.",
        zh="本机启用了交换空间：含密钥与数据的内存可能以明文写入磁盘。",
        remedy_en="Switch it off (`swapoff -a`), or encrypt it.",
        remedy_zh="请关闭（`swapoff -a`）或加密交换空间。",
    ),
    "wall-core-dumps": Rule(
        en="A crash may write memory, with keys and rows in it, to the disk.",
        zh="进程崩溃时，含密钥与数据的内存可能写入磁盘。",
        remedy_en="Run with `ulimit -c 0`.",
        remedy_zh="请以 `ulimit -c 0` 运行。",
    ),
    "wall-one-administrator": Rule(
        en="Nobody in office but {person} holds the role {role}: nobody could act for it when that one key is lost.",
        zh="在任人员中只有 {person} 担任 {role}：其密钥一旦丢失，无人可以代行。",
        remedy_en="Give the role to a second person, whose key is kept elsewhere (`zhanqiao people role`).",
        remedy_zh="请将该角色授予第二人，其密钥另行保管（`zhanqiao people role`）。",
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
