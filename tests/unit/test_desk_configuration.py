# SPDX-License-Identifier: Apache-2.0
"""Settings are read back as they were written, and what is left out is the table's default."""

from pathlib import Path

from zhanqiao.desk.configuration import SETTINGS, Deployment, Serving, read_settings, write_settings


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    said = Deployment(
        "青岛",
        "laptop",
        "zhanqiao.test/log",
        quorum=2,
        quorum_seconds=60,
        serving=Serving(listen='[::1]:9"\\', metrics="127.0.0.1:9", gateway_user="gate"),
    )
    write_settings(tmp_path / "zhanqiao.toml", said)
    assert read_settings(tmp_path / "zhanqiao.toml") == said


def test_what_is_left_out_is_the_default_of_the_table(tmp_path: Path) -> None:
    (tmp_path / "zhanqiao.toml").write_text('[deployment]\ncity = "c"\nprofile = "demo"\norigin = "o"\n[serve]\n')
    read = read_settings(tmp_path / "zhanqiao.toml")
    assert isinstance(read, Deployment)
    found = {"deployment": vars(read), "serve": vars(read.serving)}
    wanted = {(one.table, one.key): one.default for one in SETTINGS if one.default is not None}
    assert {place: found[place[0]][place[1]] for place in wanted} == wanted


def test_settings_that_say_nothing_of_serving_have_no_table_for_it(tmp_path: Path) -> None:
    write_settings(tmp_path / "zhanqiao.toml", Deployment("c", "demo", "o"))
    assert "[serve]" not in (tmp_path / "zhanqiao.toml").read_text()
