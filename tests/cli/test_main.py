"""What every verb shares: odd consoles, odd folders, odd variables. No traceback reaches a user."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tagcf.cli import tagcf as tagcf_group
from tagcf.cli.live import live as live_group
from tagcf.data.simulate import Platform, simulate
from tagcf.data.simulate.write import write_world


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("main") / "平台 one"
    write_world(simulate(Platform(users=60, items=80, tags=6, days=14, seed=2)), folder)
    return folder


def tagcf(*arguments: object, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run the real command in a process of its own, with other variables."""
    return subprocess.run(
        [sys.executable, "-c", "from tagcf.cli import main; main()", *map(str, arguments)],
        capture_output=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "TAGCF_LANG": "en"} | variables,
        check=False,
    )


@pytest.mark.parametrize("encoding", ["ascii", "gbk", "latin-1"])
def test_a_minus_stays_a_minus_on_any_console(platform: Path, encoding: str) -> None:
    few = {"TAGCF_TAGS__MIN_ITEMS": "4"}
    done = tagcf("effects", platform, "--json", PYTHONIOENCODING="utf-8", **few)
    assert done.returncode == 0, done.stderr
    done = tagcf("whatif", platform, "--item", "i000000", PYTHONIOENCODING=encoding, **few)
    assert done.returncode == 0, done.stderr
    shown = done.stdout.decode(encoding)
    assert "−" not in shown
    assert "[-" in shown
    assert "?" not in shown.replace("What if", "")


@pytest.mark.parametrize("verb", ["effects", "check", "tag", "report"])
def test_a_file_in_the_way_of_out(platform: Path, tmp_path: Path, verb: str) -> None:
    folder = tmp_path / "platform"
    folder.mkdir()
    for source in platform.iterdir():
        if source.is_file():
            (folder / source.name).write_bytes(source.read_bytes())
    (folder / "out").write_text("in the way")
    done = tagcf(verb, folder)
    assert done.returncode == 1
    assert b"out cannot be used" in done.stderr
    assert b"Traceback" not in done.stderr
    assert (folder / "out").read_text() == "in the way"


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("TAGCF_SEED", "abc", "seed"),
        ("TAGCF_FOO", "1", "foo"),
        ("TAGCF_LANGUAGE", "fr", "language"),
        ("TAGCF_DATA__TIMEZON", "UTC", "timezone"),
    ],
)
def test_wrong_variables_are_named(platform: Path, variable: str, value: str, says: str) -> None:
    done = tagcf("check", platform, **{variable: value})
    assert done.returncode == 2
    assert says in done.stderr.decode()


def test_variables_are_settings(platform: Path) -> None:
    done = tagcf("settings", platform, "--json", TAGCF_SEED="5", TAGCF_TAGS__MIN_ITEMS="7")
    shown = done.stdout.decode()
    assert '"seed"' in shown
    assert done.returncode == 0
    assert tagcf("effects", platform, "--json", TAGCF_TAGS__MIN_ITEMS="3").returncode == 0


def test_a_mistake_of_ours_is_one_sentence(platform: Path, tmp_path: Path) -> None:
    broken = tmp_path / "sitecustomize.py"
    broken.write_text(
        "import tagcf.data.read as read\n"
        "def read_log(*_):\n    raise ZeroDivisionError('boom')\n"
        "read.read_log = read_log\n"
    )
    done = tagcf("effects", platform, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert b"ZeroDivisionError: boom" in done.stderr
    assert b"Traceback" not in done.stderr
    shown = tagcf("effects", platform, PYTHONPATH=str(tmp_path), TAGCF_DEBUG="1")
    assert b"Traceback" in shown.stderr


def test_verbs_are_listed_as_they_describe_themselves() -> None:
    for group in (tagcf_group, live_group):
        context = click.Context(group)
        listed = group.get_help(context)
        for name in group.list_commands(context):
            first = group.get_command(context, name).get_short_help_str(30).rstrip(".")
            assert first in " ".join(listed.split()), name


def test_who_reads_only_the_first_lines_gets_no_error(platform: Path) -> None:
    for arguments in (["check", platform, "--json"], ["effects", platform]):
        command = [sys.executable, "-c", "from tagcf.cli import main; main()"]
        process = subprocess.Popen(
            [*command, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1", "TAGCF_TAGS__MIN_ITEMS": "4"},
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
        process.stderr.close()
        assert process.wait() == 0, said
        assert b"Traceback" not in said
