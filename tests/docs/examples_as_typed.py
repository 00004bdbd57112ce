"""Each example, and the tutorial, as a user runs it: its own install line in a clean environment, and its own commands.

Its name keeps it out of the ordinary suite, because it installs what the package index has today. `make test-examples`
builds the wheel and runs it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support.deliveries import Delivery
from support.helpers import TESTS
from support.queue_examples import EXAMPLES, Commands, Programs
from support.servers import exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from support.guards import RedisServer

DIST = TESTS.parent / "dist"
TUTORIAL = TESTS.parent / "docs" / "tutorial" / "first-delivery.md"
SECRET = "the HMAC secret"
"""The one in all of their commands."""
PATIENCE = 60.0
"""Seconds that a program may take to start: everything in a new environment is compiled first."""

MODULES = sorted(path.stem for path in EXAMPLES.glob("*.py") if path.stem != "shop")


def wheel() -> Path:
    """Return the wheel that `make wheel` built."""
    wheels = list(DIST.glob("listrak_webhooks-*.whl"))
    assert len(wheels) == 1, f"run make wheel: {DIST} holds {wheels}"
    return wheels[0]


def from_wheel(requirement: str) -> str:
    """Return a requirement as it is typed, except that the wheel takes the place of the package's name."""
    parsed = Requirement(requirement)
    if canonicalize_name(parsed.name) != "listrak-webhooks":
        return requirement
    return f"{wheel()}[{','.join(sorted(parsed.extras))}]" if parsed.extras else str(wheel())


def clean_environment(programs: Path, port: int) -> dict[str, str]:
    """Return the variables of a user who has these programs, and none of our settings; Flask listens on the port."""
    ours = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_CONSTRAINT", "PIP_REQUIREMENT")
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    return {**environment, "PATH": f"{programs}:{os.environ['PATH']}", "FLASK_RUN_PORT": str(port)}


def type_in(command: str, folder: Path, environment: dict[str, str]) -> str:
    """Type a command, wait until it has done its work, and return what it printed."""
    done = subprocess.run(
        ["bash", "-c", command],
        check=False,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class User:
    """Somebody who types the commands of an example in a copy of its folder."""

    def __init__(self, module: str, folder: Path, redis: RedisServer | None) -> None:
        self.commands = Commands.of(module)
        self.programs = Programs(folder)
        self.port = free_port()
        self._examples = folder / "examples"
        # What the example says to export comes first; its Redis is the test's own, and no other program's.
        self._settings = f"export REDIS_URL=redis://127.0.0.1:{redis.port}/0" if redis else ":"
        self._environment = clean_environment(folder / "venv" / "bin", self.port)
        shutil.copytree(EXAMPLES, self._examples, ignore=shutil.ignore_patterns("__pycache__"))
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)

    def install(self) -> None:
        """Type the install line."""
        words = ["pip", "install", *(from_wheel(requirement) for requirement in self.commands.requirements)]
        type_in(shlex.join(words), self._examples, self._environment)

    def start(self, command: str, name: str) -> Callable[[], bool]:
        """Type a command, and return a function that says whether it still runs."""
        script = f"{self.commands.export}\n{self._settings}\nexec {command}"
        program = self.programs.start(["bash", "-c", script], name, self._environment, folder=self._examples)
        return lambda: program.poll() is None


@pytest.fixture
def user(module: str, tmp_path: Path, request: pytest.FixtureRequest) -> Generator[User, None, None]:
    """Return a user who has a clean environment; afterwards none of the programs runs any more."""
    redis = request.getfixturevalue("own_redis") if "REDIS_URL" in Commands.of(module).export else None
    user = User(module, tmp_path, redis)
    try:
        yield user
    finally:
        user.programs.kill_all()


def wait_until(true: Callable[[], bool], runs: Callable[[], bool], programs: Programs) -> None:
    """Wait until something is true, as long as a program runs."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert runs(), f"the program has ended\n{programs.logs()}"
        assert time.monotonic() < deadline, f"nothing happens\n{programs.logs()}"
        time.sleep(0.1)


def listens(port: int) -> bool:
    """Return whether a server accepts connections."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("module", MODULES)
def test_an_example_handles_a_delivery_as_it_says(module: str, user: User) -> None:
    """The install line brings everything that the receiver and the worker need, and a genuine delivery is handled."""
    user.install()
    receives = user.start(user.commands.receive, "receiver")
    wait_until(lambda: listens(user.port), receives, user.programs)

    body, timestamp = b'{"campaign":"vip-mailer"}', str(int(time.time()))
    mac = hmac.digest(SECRET.encode(), body + timestamp.encode(), "sha256")
    headers = {"LTK-Timestamp": timestamp, "LTK-HmacSignature": b64encode(mac).decode()}
    assert exchange(user.port, Delivery(body, headers)).status == 200, user.programs.logs()

    works = user.start(user.commands.work, "worker")
    handled = f"working on delivery {hashlib.sha256(mac).hexdigest()}"
    wait_until(lambda: handled in user.programs.logs(), works, user.programs)
    assert receives()


def test_the_tutorial_ends_as_it_says(tmp_path: Path) -> None:
    """With the wheel, its two files and its commands, the tutorial accepts one delivery and rejects the other."""
    page = TUTORIAL.read_text(encoding="utf-8")
    make, *install, run = re.findall(r"^\$ (.*)$", page, re.MULTILINE)
    assert (make, DIST) == ("make wheel", wheel().parent)
    app, send = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    port = free_port()
    (tmp_path / "dist").symlink_to(DIST)
    (tmp_path / "app.py").write_text(app, encoding="utf-8")
    (tmp_path / "send.py").write_text(send.replace(":5000/", f":{port}/"), encoding="utf-8")

    environment = clean_environment(Path(sys.executable).parent, port)
    programs = Programs(tmp_path)
    for command in install:
        type_in(command, tmp_path, environment)
    receiver = programs.start(["bash", "-c", run], "receiver", environment)
    try:
        wait_until(lambda: listens(port), lambda: receiver.poll() is None, programs)
        assert type_in(".venv/bin/python send.py", tmp_path, environment).split() == ["200", "401"]
        assert programs.logs().count("rejected a delivery with 401 signature_mismatch") == 1
        assert "the secret looks like" not in programs.logs()
    finally:
        programs.kill_all()
