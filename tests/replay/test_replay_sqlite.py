"""The file of the SQLite guard: where it may be, and who may read it."""

from __future__ import annotations

import logging
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest
from listrak_webhooks import ConfigurationError, ReplayGuardError
from listrak_webhooks.replay import SqliteReplayGuard, _sqlite_file
from support.deliveries import logged
from support.guards import event_of, is_first
from support.helpers import BODY
from support.scripts import in_a_process

if TYPE_CHECKING:
    from pathlib import Path


posix = pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")


class TestPlace:
    """A path that cannot be a database is found when the guard is made, not by the first delivery."""

    @pytest.mark.parametrize(
        ("given", "fault"),
        [
            ("", "path must name a file.*use MemoryReplayGuard"),
            ("  ", "path must name a file"),
            (":memory:", "path must name a file"),
            (None, "path must be a str or a pathlib.Path, not NoneType"),
            (5, "path must be a str or a pathlib.Path, not int"),
            ("a\0b", "path must not have a NUL character"),
            ("sqlite:///deliveries.db", "must be a file's path and not a URL; pass what follows sqlite:///"),
            ("postgresql://user:password@host/shop", "must be a file's path and not a URL"),
            ("file:deliveries.db?mode=rw", "must be a file's path and not a URL"),
            ("~/deliveries.db", r"begins with ~, which only a shell expands.*os\.path\.expanduser\(path\)"),
            ("~shop/deliveries.db", "begins with ~"),
            ("", "path must name a file"),
            (".", "is a folder; name a file in it, such as .*deliveries.db"),
            ("missing/", "is a folder; name a file in it"),
            (
                "missing/deliveries.db",
                "is in .*missing, which is not a folder that exists; create that folder, or mount",
            ),
            ("a-file/deliveries.db", "is in .*a-file, which is not a folder that exists"),
            ("dangling", "is in .*nowhere, which is not a folder that exists"),
        ],
    )
    def test_what_cannot_be_a_file_is_named(
        self, given: Any, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With the next step, and without a password."""
        (tmp_path / "a-file").write_bytes(b"")
        (tmp_path / "dangling").symlink_to(tmp_path / "nowhere" / "deliveries.db")
        monkeypatch.chdir(tmp_path)
        before = sorted(tmp_path.iterdir())
        with pytest.raises(ConfigurationError, match=fault) as caught:
            SqliteReplayGuard(given)
        assert "password" not in str(caught.value)
        assert sorted(tmp_path.iterdir()) == before

    @posix
    def test_what_is_not_a_regular_file_is_named(self, path: Path) -> None:
        """A pipe would never answer."""
        os.mkfifo(path)
        with pytest.raises(ConfigurationError, match="is not a regular file; name one"):
            SqliteReplayGuard(path)

    def test_a_path_may_be_bytes(self, path: Path) -> None:
        """As for `open`."""
        given: Any = os.fsencode(path)
        assert is_first(SqliteReplayGuard(given), event_of(BODY))
        assert path.exists()

    @posix
    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs another user")
    @pytest.mark.parametrize(
        ("prepare", "fault"),
        [
            ("os.chmod(folder, 0o555)", "is in a folder that this process may not write to; let its user write there"),
            ("open(path, 'w').close(); os.chmod(path, 0o444)", "is a file that this process may not read and write"),
            ("open(path, 'w').close(); os.chmod(path, 0o222)", "is a file that this process may not read and write"),
        ],
    )
    def test_rights_that_are_missing_are_named(self, prepare: str, fault: str, tmp_path: Path) -> None:
        """For the user that the process runs as."""
        folder = tmp_path / "folder"
        folder.mkdir(mode=0o777)
        folder.chmod(0o777)
        for parent in (tmp_path, *tmp_path.parents):
            if parent.owner() == "root" and "pytest" in str(parent):
                parent.chmod(0o755)
        printed = in_a_process(
            "import os, sys\n"
            "from listrak_webhooks import ConfigurationError\n"
            "from listrak_webhooks.replay import SqliteReplayGuard\n"
            "folder = sys.argv[1]; path = folder + '/deliveries.db'\n"
            f"{prepare}\n"
            "os.setgroups([]); os.setegid(65534); os.seteuid(65534)\n"
            "try: SqliteReplayGuard(path)\n"
            "except ConfigurationError as error: print(error)\n",
            folder,
        )
        assert fault in printed

    def test_the_file_is_not_made_by_the_constructor(self, path: Path) -> None:
        """An application is often loaded by another user than the one that it runs as."""
        guard = SqliteReplayGuard(path)
        assert not path.exists()
        assert is_first(guard, event_of(BODY))
        assert path.exists()

    def test_a_folder_that_goes_away_later_is_a_store_that_does_not_respond(self, tmp_path: Path) -> None:
        """Until it is back."""
        folder = tmp_path / "mount"
        folder.mkdir()
        guard = SqliteReplayGuard(folder / "deliveries.db")
        folder.rmdir()
        with pytest.raises(
            ReplayGuardError, match=r"cannot be used.*create its folder and let this process write there"
        ):
            is_first(guard, event_of(BODY))
        folder.mkdir()
        assert is_first(guard, event_of(BODY))


@posix
class TestModes:
    """Who may read and write the file."""

    @pytest.mark.parametrize("umask", [0o000, 0o022, 0o277, 0o777])
    def test_the_file_and_its_log_are_for_their_owner_alone(self, path: Path, umask: int) -> None:
        """Whatever the umask; and so is the request to step back."""
        before = os.umask(umask)
        try:
            guard = SqliteReplayGuard(path)
            assert is_first(guard, event_of(BODY))
            _sqlite_file.Turn(str(path))._ask()
        finally:
            os.umask(before)
        names = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        waiting = names.pop("deliveries.db-waiting")
        assert waiting & 0o077 == 0
        assert names == {"deliveries.db": 0o600, "deliveries.db-wal": 0o600, "deliveries.db-shm": 0o600}

    def test_a_file_behind_a_link_is_too(self, path: Path) -> None:
        """The link's target is made, and not the link replaced."""
        target = path.with_name("target.db")
        path.symlink_to(target)
        assert is_first(SqliteReplayGuard(path), event_of(BODY))
        assert path.is_symlink()
        assert stat.S_IMODE(target.stat().st_mode) == 0o600

    def test_a_file_that_exists_keeps_its_mode(self, path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """Its log takes it over: so a group may share the guard."""
        path.touch()
        path.chmod(0o660)
        guard = SqliteReplayGuard(path)
        assert is_first(guard, event_of(BODY))
        assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o660}
        assert not logged(caplog)

    def test_one_that_everybody_may_write_to_is_logged(self, path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """Anybody on the machine could have a delivery handled twice, or not at all."""
        path.touch()
        path.chmod(0o666)
        assert is_first(SqliteReplayGuard(path), event_of(BODY))
        (record,) = logged(caplog)
        assert record.levelno == logging.WARNING
        assert f"may write to the replay guard's file {path}" in record.getMessage()
        assert "chmod o-w" in record.getMessage()
