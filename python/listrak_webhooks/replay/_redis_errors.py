"""What a failure of Redis means, in words that hold no credential and no key.

The texts of the server and of its client are not shown: a server names the user whom it rejects and the arguments of a
command that it does not know, and a credential provider may say anything. What is shown is made here, from the class of
the error, the code that the server gave and the operating system's own reason.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import ssl
from typing import Any

COMMANDS = "EVAL, GET, SET, DEL, PTTL and PEXPIRE"
"""What the user of the guard's client must be allowed."""

CONNECT = "check that it runs and that this machine reaches it"

CLASSES = {
    "ReadOnlyError": "READONLY",
    "NoPermissionError": "NOPERM",
    "OutOfMemoryError": "OOM",
    "BusyLoadingError": "LOADING",
    "MasterDownError": "MASTERDOWN",
    "ClusterDownError": "CLUSTERDOWN",
    "TryAgainError": "TRYAGAIN",
    "MovedError": "MOVED",
    "AskError": "ASK",
    "AuthorizationError": "NOPERM",
    "AuthenticationError": "WRONGPASS",
    "AuthenticationWrongNumberOfArgsError": "WRONGPASS",
}
"""The codes of the errors that redis-py has classes for; it takes the code off their texts. The first match counts."""

MEANINGS = {
    "READONLY": (
        "is a read-only replica",
        "give the guard a client of the primary; with Sentinel, sentinel.master_for",
    ),
    "NOPERM": (
        "does not let this client's user do what the guard does",
        f"allow that user {COMMANDS} on the keys with the guard's prefix",
    ),
    "OOM": ("has no memory left", "raise its maxmemory, or give the guard a server of its own"),
    "LOADING": ("is still loading its data", "it takes deliveries as soon as that is done"),
    "MASTERDOWN": ("is a replica that lost its primary", "give the guard a client of the primary"),
    "CLUSTERDOWN": ("is a cluster that is down", "see CLUSTER INFO on one of its nodes"),
    "TRYAGAIN": ("is moving the slot of this delivery", "it takes this delivery as soon as that is done"),
    "MOVED": ("is a node of a cluster, which the client does not know", "give the guard a redis.RedisCluster"),
    "WRONGPASS": ("rejected the login of this client", "set the user name and the password that the server expects"),
    "MISCONF": ("cannot save its data and takes no writes", "see its log; most often its disk is full"),
    "NOREPLICAS": ("has fewer replicas than its min-replicas-to-write", "bring them back"),
    "BUSY": ("is busy with somebody's script", "end that script with SCRIPT KILL"),
    "DENIED": ("is in protected mode", "set a password on it, or bind it to the address that this machine uses"),
    "WRONGTYPE": ("holds something else under the guard's key", "give the guard a prefix of its own"),
    "UNKNOWN": (
        "does not know a command that the guard needs",
        f"use Redis 6 or newer, or Valkey, without renaming {COMMANDS}",
    ),
    "DATABASE": ("has no database of the number that the client asks for", "set another db in the client"),
    "CLIENTS": ("has as many clients as its maxclients lets in", "raise maxclients, or close idle clients"),
}
"""For each code: what is so, and the next step."""
MEANINGS["ASK"] = MEANINGS["MOVED"]
MEANINGS["NOAUTH"] = MEANINGS["WRONGPASS"]

# A script's error is inside the text of another in Redis 6.
CODE = re.compile(r"\b(" + "|".join(sorted(MEANINGS.keys() - {"UNKNOWN", "DATABASE", "CLIENTS"})) + r")\b")

TEXTS = {
    "ACL failure in script": "NOPERM",
    "user executing the script": "NOPERM",
    "DB index is out of range": "DATABASE",
    "unknown command": "UNKNOWN",
    "Unknown Redis command": "UNKNOWN",
    "max number of clients": "CLIENTS",
}
"""What has no code of the server's; a part of its text, and a code of ours."""

TRANSIENT = {"", "READONLY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "CLIENTS"}
"""What another try may find gone; without a code, it was the connection that failed."""


ROOTS = {"RedisError", "ValkeyError"}
"""The bases of all errors that a client raises itself."""


class RedisFailure(Exception):  # noqa: N818
    """A command that failed for good. Its text is what the user is told."""


def class_names(error: BaseException) -> list[str]:
    """Return the names of an error's class and of its bases: the client's own package may not be redis-py."""
    return [base.__name__ for base in type(error).__mro__]


def code_of(error: Exception) -> str:
    """Return the code that the server gave, `"ERR"` if it is not known, and nothing if the server said nothing."""
    names = class_names(error)
    text = str(error)
    for part, code in TEXTS.items():
        if part in text:
            return code
    is_response = "ResponseError" in names
    found = CODE.search(text) if is_response else None
    if found is not None:
        return found.group(1)
    for name in names:
        if name in CLASSES:
            return CLASSES[name]
    return "ERR" if is_response else ""


def is_transient(error: Exception) -> bool:
    """Return whether the same command may succeed on another connection, or a little later."""
    if isinstance(error, RedisFailure | OSError | asyncio.TimeoutError | EOFError):
        return True
    return bool(ROOTS.intersection(class_names(error))) and code_of(error) in TRANSIENT


def place_of(connection: Any) -> str:
    """Return where a connection goes, without what is in front of an `@`: some give a URL as the host."""
    path = getattr(connection, "path", None)
    if isinstance(path, str) and path:
        return path
    host = str(getattr(connection, "host", "") or "an unknown host").rpartition("@")[2]
    return f"{host}:{getattr(connection, 'port', '?')}"


def describe(error: Exception, place: str) -> RedisFailure:
    """Return what is to be said of an error: what is so, and the next step."""
    if isinstance(error, RedisFailure):
        return error
    code = code_of(error)
    if code in MEANINGS:
        fact, step = MEANINGS[code]
        return RedisFailure(f"the replay guard's Redis at {place} {fact} ({code}); {step}")
    if code:
        return RedisFailure(f"the replay guard's Redis at {place} rejected a command; see its log")
    if not is_transient(error):
        name = type(error).__name__
        return RedisFailure(
            f"the replay guard's Redis client failed ({name}); check the arguments that it was made with"
        )
    reason = _reason(error)
    return RedisFailure(
        f"the replay guard's Redis at {place} did not answer ({type(error).__name__}{reason and ': '}{reason}); "
        + CONNECT
    )


def _reason(error: BaseException) -> str:
    """Return what the operating system said, or that it said nothing in time."""
    if "TimeoutError" in class_names(error):
        return "nothing came in time"
    cause: BaseException | None = error
    for _ in range(5):
        if cause is None:
            break
        if isinstance(cause, OSError):
            return _system_reason(cause)
        cause = cause.__cause__ or cause.__context__
    return "it closed the connection" if "ConnectionError" in class_names(error) else ""


def _system_reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError | socket.gaierror):
        return " ".join(str(error.strerror).split())[:200]
    # Without a number it may be anybody's own text.
    return os.strerror(error.errno) if error.errno else "no address of that host took the connection"
