"""What the Redis guard says and does when the server rejects it or is not there, and that it says no secret."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import re
import socket
import traceback
import warnings
from typing import TYPE_CHECKING, Any

import pytest
import redis
import redis.asyncio
import redis.asyncio.cluster
import redis.asyncio.sentinel
import redis.sentinel
from listrak_webhooks import ReplayGuardError
from listrak_webhooks.replay import RedisReplayGuard
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry
from support.guards import event_of, redis_client
from support.helpers import BODY
from support.redis_doubles import close, each_way, told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from listrak_webhooks import Event
    from support.guards import RedisServer

USER, PASSWORD = "jane-the-user", "the-password-of-jane"


def enter(client: Any, event: Event | None = None, **options: Any) -> bool:
    """Enter a guard over a client with an event, and leave it."""
    guard = RedisReplayGuard(client, **options)
    delivery = event_of(BODY) if event is None else event

    async def steps() -> bool:
        async with guard.handle(delivery) as first:
            return first

    if guard.async_only:
        return asyncio.run(steps())
    with guard.handle(delivery) as first:
        return first


def rejection(client: Any, **options: Any) -> str:
    """Return what the guard says, after seeing that nothing which hangs on it is a secret."""
    with pytest.raises(ReplayGuardError) as caught:
        enter(client, **options)
    for text in secrets_on(caught.value):
        pytest.fail(f"a secret is on the exception: {text}")
    return str(caught.value)


def secrets_on(error: BaseException) -> Iterator[str]:
    """Yield what holds a secret in the texts of an error and of what hangs on it, and in the variables there."""
    seen: BaseException | None = error
    while seen is not None:
        yield from (text for text in (str(seen), repr(seen.args)) if is_secret(text))
        for frame, _ in traceback.walk_tb(seen.__traceback__):
            if any(package in frame.f_code.co_filename for package in ("listrak_webhooks/", "site-packages/redis/")):
                yield from (repr(value) for value in frame.f_locals.values() if PASSWORD in repr(value))
        seen = seen.__cause__ or seen.__context__


def is_secret(text: str) -> bool:
    """Return whether a text tells the user, the password, or the id of the delivery."""
    return any(secret in text for secret in (USER, PASSWORD, event_of(BODY).id))


def client_at(port: int, way: str, **options: Any) -> Any:
    """Return a client that does not try again."""
    make: Any = redis.Redis if way == "with" else redis.asyncio.Redis
    return make(port=port, **{"retry": None, "protocol": 2, **options})


SAID = [
    ("-READONLY You can't write against a read only replica.", r"is a read-only replica \(READONLY\).*master_for"),
    ("-NOPERM User {user} has no permissions to run the 'eval' command", r"NOPERM\).*EVAL, GET, SET, DEL, PTTL"),
    (
        "-ERR The user executing the script can't run this command or subcommand script: 7630e4ca, on @user_script:1.",
        r"NOPERM\).*EVAL, GET, SET, DEL, PTTL and PEXPIRE",
    ),
    ("-NOPERM No permissions to access a key", r"NOPERM\).*on the keys with the guard's prefix"),
    ("-OOM command not allowed when used memory > 'maxmemory'.", r"has no memory left \(OOM\); raise its maxmemory"),
    (
        "-ERR Error running script (call to f_7630): @user_script:1: @user_script: 1: -OOM command not allowed",
        r"has no memory left \(OOM\)",
    ),
    ("-LOADING Redis is loading the dataset in memory", r"is still loading its data \(LOADING\)"),
    ("-MASTERDOWN Link with MASTER is down", r"is a replica that lost its primary \(MASTERDOWN\)"),
    ("-CLUSTERDOWN Hash slot not served", r"is a cluster that is down \(CLUSTERDOWN\); see CLUSTER INFO"),
    ("-TRYAGAIN Multiple keys request during rehashing of slot", r"is moving the slot of this delivery \(TRYAGAIN\)"),
    ("-MOVED 3999 10.0.0.1:6381", r"a node of a cluster.*\(MOVED\); give the guard a redis\.RedisCluster"),
    ("-ASK 3999 10.0.0.1:6381", r"a node of a cluster.*\(ASK\); give the guard a redis\.RedisCluster"),
    ("-MISCONF Redis is configured to save RDB snapshots", r"cannot save its data.*\(MISCONF\); see its log"),
    ("-NOREPLICAS Not enough good replicas to write.", r"fewer replicas than its min-replicas-to-write \(NOREPLICAS\)"),
    ("-BUSY Redis is busy running a script.", r"\(BUSY\); end that script with SCRIPT KILL"),
    ("-WRONGTYPE Operation against a key holding the wrong kind", r"\(WRONGTYPE\); give the guard a prefix of its own"),
    ("-NOAUTH Authentication required.", r"rejected the login.*set the user name and the password"),
    ("-ERR unknown command `EVAL`, with args beginning with: `{key}`", r"\(UNKNOWN\); use Redis 6 or newer"),
    ("-ERR max number of clients reached", r"\(CLIENTS\); raise maxclients"),
    ("-ERR something about {user} and {password}", r"rejected a command; see its log"),
    ("-NEVERHEARD something about {user} and {password}", r"rejected a command; see its log"),
    ("-DENIED Redis is running in protected mode because", r"is in protected mode \(DENIED\)"),
]


class TestWhatTheServerSays:
    """Each of its errors is a 503 with the host and the next step."""

    @each_way
    @pytest.mark.parametrize(
        ("said", "expected"), SAID, ids=[said.split(" ")[0] + str(n) for n, (said, _) in enumerate(SAID)]
    )
    def test_it_is_explained_without_a_secret(self, way: str, said: str, expected: str) -> None:
        """The server's own text names users, keys and arguments, and is not shown."""
        line = said.format(user=USER, password=PASSWORD, key=f"listrak_webhooks:{event_of(BODY).id}").encode() + b"\r\n"
        with told(lambda words: line if words[0] == b"EVAL" else b"+OK\r\n") as port:
            text = rejection(client_at(port, way, username=USER, password=PASSWORD))
        assert text.startswith(f"the replay guard's Redis at localhost:{port} ")
        assert re.search(expected, text), text

    @each_way
    @pytest.mark.parametrize("protocol", [2, 3])
    def test_a_login_that_is_rejected_is_told_apart(self, redis_server: RedisServer, way: str, protocol: int) -> None:
        """Neither the name nor the password shows, also not in the frames of the client's own error."""
        client = client_at(redis_server.port, way, username=USER, password=PASSWORD, protocol=protocol)
        assert "rejected the login of this client (WRONGPASS); set the user name" in rejection(client)

    @each_way
    def test_a_login_that_a_sentinel_rejects_is_told_of_it(self, way: str) -> None:
        """It has a login of its own."""
        with told(lambda words: b"-WRONGPASS invalid pair\r\n" if words[0] == b"AUTH" else b"+OK\r\n") as port:
            module: Any = redis.sentinel if way == "with" else redis.asyncio.sentinel
            login: dict[str, Any] = {"username": USER, "password": PASSWORD, "protocol": 2}
            sentinel = module.Sentinel([("127.0.0.1", port)], sentinel_kwargs=login, protocol=2)
            text = rejection(sentinel.master_for("shop"), timeout=0.3)
        assert "knows a primary of 'shop'" in text
        assert f"Redis at 127.0.0.1:{port} rejected the login of this client (WRONGPASS)" in text

    def test_a_login_that_a_cluster_rejects_is_told_apart(self, redis_server: RedisServer) -> None:
        """When it is asked for its slots."""
        login: dict[str, Any] = {"username": USER, "password": PASSWORD, "protocol": 2}
        client = redis.asyncio.cluster.RedisCluster(host="127.0.0.1", port=redis_server.port, **login)
        assert "rejected the login of this client (WRONGPASS); set the user name" in rejection(client, timeout=0.3)
        close(client)

    def test_a_user_that_may_not_do_all_is_told_what_is_needed(self, own_redis: RedisServer) -> None:
        """With what the message names, and nothing more, the guard works."""
        with contextlib.closing(redis_client(own_redis.port)) as admin:
            for commands, keys in ((["+eval", "+set"], "*"), (["+get"], "*"), (["+@all"], "other:*")):
                admin.acl_setuser(USER, True, reset=True, passwords=["+" + PASSWORD], commands=commands, keys=[keys])
                text = rejection(client_at(own_redis.port, "with", username=USER, password=PASSWORD))
                assert (
                    "allow that user EVAL, GET, SET, DEL, PTTL and PEXPIRE on the keys with the guard's prefix" in text
                )
            commands = ["+eval", "+get", "+set", "+del", "+pttl", "+pexpire"]
            keys = "listrak_webhooks:*"
            admin.acl_setuser(USER, True, reset=True, passwords=["+" + PASSWORD], commands=commands, keys=[keys])
            made = {"username": USER, "password": PASSWORD}
            # One, because a delivery of the next second is another.
            event = event_of(BODY)
            assert [enter(client_at(own_redis.port, "with", **made), event) for _ in range(2)] == [True, False]

    def test_a_replica_is_told_apart(self, own_redis: RedisServer, redis_server: RedisServer) -> None:
        """It was made one after the guard had a connection."""
        guard = RedisReplayGuard(client_at(own_redis.port, "with"))
        with guard.handle(event_of(b"before")):
            pass
        with contextlib.closing(redis_client(own_redis.port)) as admin:
            admin.replicaof("127.0.0.1", redis_server.port)
            with pytest.raises(ReplayGuardError, match=r"is a read-only replica \(READONLY\)"):
                guard.handle(event_of(BODY)).__enter__()
            admin.replicaof("NO", "ONE")
        assert guard.handle(event_of(BODY)).__enter__()

    @each_way
    def test_what_passes_is_waited_for(self, way: str) -> None:
        """A server that starts says that it is loading; the client's retries are for that too."""
        answers = [b"-LOADING Redis is loading the dataset in memory\r\n"] * 2 + [b":0\r\n"] * 10
        retry: Any = Retry(NoBackoff(), 5) if way == "with" else AsyncRetry(NoBackoff(), 5)
        with told(lambda words: answers.pop(0) if words[0] == b"EVAL" else b"+OK\r\n") as port:
            assert enter(client_at(port, way, retry=retry))

    @each_way
    def test_what_does_not_pass_is_not_waited_for(self, way: str) -> None:
        """More tries would find the same."""
        asked = []

        def answer(words: list[bytes]) -> bytes:
            asked.append(words[0])
            return b"-NOPERM No permissions\r\n" if words[0] == b"EVAL" else b"+OK\r\n"

        retry: Any = Retry(NoBackoff(), 5) if way == "with" else AsyncRetry(NoBackoff(), 5)
        with told(answer) as port:
            rejection(client_at(port, way, retry=retry))
        assert asked.count(b"EVAL") == 1


class TestWhatTheNetworkSays:
    """Servers that are not there, and hosts that are none."""

    @each_way
    def test_a_refused_connection_names_the_host(self, way: str) -> None:
        """The reason is the operating system's."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        text = rejection(client_at(port, way, host="127.0.0.1"))
        assert text == (
            f"the replay guard's Redis at 127.0.0.1:{port} did not answer (ConnectionError: Connection refused); "
            "check that it runs and that this machine reaches it"
        )

    @each_way
    def test_a_url_in_the_place_of_a_host_shows_no_password(self, way: str) -> None:
        """`Redis("redis://…")` is a common mistake."""
        text = rejection(client_at(1, way, host=f"redis://user:{PASSWORD}@nowhere.invalid"))
        assert text.startswith("the replay guard's Redis at nowhere.invalid:1 did not answer (")

    @each_way
    def test_a_missing_unix_socket_is_named(self, way: str) -> None:
        """With the path and the reason."""
        with warnings.catch_warnings():
            # redis-py 5.0 leaves the socket to the garbage collector.
            warnings.simplefilter("ignore", ResourceWarning)
            text = rejection(client_at(1, way, unix_socket_path="/no/such/socket"))
            gc.collect()
        assert "at /no/such/socket did not answer (ConnectionError: No such file or directory)" in text

    @each_way
    def test_a_server_that_speaks_no_tls_is_told(self, redis_server: RedisServer, way: str) -> None:
        """It waits for more of what it takes for a command, or closes the connection."""
        text = rejection(client_at(redis_server.port, way, ssl=True), timeout=0.5)
        assert f"at localhost:{redis_server.port} did not answer (" in text

    @each_way
    def test_a_server_that_is_not_redis_is_named_in_the_error(self, way: str) -> None:
        """It is a web server, say."""
        with told(lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
            text = rejection(client_at(port, way))
        assert f"at localhost:{port} did not answer (" in text

    @each_way
    def test_a_credential_provider_that_fails_says_nothing_of_its_own(self, way: str) -> None:
        """Its text may hold a token."""

        class Provider(redis.CredentialProvider):
            def get_credentials(self) -> tuple[str]:
                raise OSError(f"no token for {PASSWORD}")

        with told(lambda _: b"+OK\r\n") as port:
            text = rejection(client_at(port, way, credential_provider=Provider()))
        assert text.startswith(f"the replay guard's Redis at localhost:{port} did not answer (")

    def test_the_completion_that_cannot_be_saved_is_explained_in_the_same_way(
        self, own_redis: RedisServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        """What is logged then is what a rejection says."""
        guard = RedisReplayGuard(client_at(own_redis.port, "with", username="default", password=PASSWORD))
        with contextlib.closing(redis_client(own_redis.port)) as admin:
            admin.config_set("requirepass", PASSWORD)
        with guard.handle(event_of(BODY)):
            own_redis.stop()
        assert "did not answer (ConnectionError: Connection refused)" in caplog.text
        assert not is_secret(caplog.text)


def test_a_client_that_fails_by_itself_is_not_taken_for_the_server() -> None:
    """A wrong argument of it shows in the first delivery, by the class of the error and without a value."""
    pool = redis.ConnectionPool(port=1, no_such_argument=PASSWORD)
    text = rejection(redis.Redis(connection_pool=pool))
    assert text == "the replay guard's Redis client failed (TypeError); check the arguments that it was made with"
