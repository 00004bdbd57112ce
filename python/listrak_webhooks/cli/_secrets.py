"""Where a command's secret comes from: a file, a variable, but never an argument, which other users can see.

No error shows what was read, nor the value of an option: somebody may give the secret itself in place of its file.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from listrak_webhooks._core import Webhook
from listrak_webhooks.exceptions import ConfigurationError
from listrak_webhooks.instrumentation import logger

from ._command import read

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

VARIABLE = "LISTRAK_WEBHOOK_SECRET"

MOST_OF_A_SECRET = 64 * 1024
"""Bytes of a file that are read as a secret."""

_ENV = click.option(
    "--secret-env",
    metavar="NAME",
    help=f"The environment variable that holds the secret; {VARIABLE} if neither option is given.",
)


def secret_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for one secret."""
    return _with_files(function, "secret_file", callback=_only_one)


def rotated_secret_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for a secret and the previous ones."""
    more = " Of several, the first is the current secret, and the others are previous ones."
    return _with_files(function, "secret_files", more)


def many_secrets_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for a secret and those of other webhooks."""
    more = " Of several, the first is this endpoint's, and the others are those of other webhooks."
    return _with_files(function, "secret_files", more)


def _with_files(
    function: Callable[..., Any], name: str, more: str = "", callback: Callable[..., Any] | None = None
) -> Callable[..., Any]:
    # Several are taken in each case: of an option that is for one value, Click takes the last without a word.
    option = click.option(
        "--secret-file",
        name,
        metavar="PATH",
        multiple=True,
        callback=callback,
        help=f"The file with the secret; - is the standard input.{more}",
    )
    decorated: Callable[..., Any] = option(_ENV(function))
    return decorated


def _only_one(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> str | None:
    if len(value) > 1:
        raise click.UsageError(f"give --secret-file once: `{ctx.info_name}` takes one secret", ctx)
    del param
    return value[0] if value else None


def secret_sources(secret_files: Sequence[str]) -> dict[str, str]:
    """Return the files of several `--secret-file` by their names, for `check_standard_input`."""
    return {f"--secret-file {number}": each for number, each in enumerate(secret_files, 1)}


def secrets_of(secret_file: str | None, secret_env: str | None) -> list[str]:
    """Return the secret that the options name, or else the one in the environment; the previous one follows it.

    What looks like a slip, such as a secret in quotation marks, is warned of.

    Args:
        secret_file: the value of `--secret-file`.
        secret_env: the value of `--secret-env`.

    Raises:
        click.UsageError: there is no secret, or what there is cannot be one.
    """
    if secret_file is not None and secret_env is not None:
        raise click.UsageError("give the secret by --secret-file or by --secret-env, not by both")
    try:
        if secret_file is not None:
            secret = _secret_in(secret_file)
            Webhook(secret)
            return [secret]
        if secret_env is not None and not os.environ.get(secret_env):
            raise click.UsageError("the environment variable that --secret-env names is not set, or is empty")
        if secret_env is None and not os.environ.get(VARIABLE):
            raise click.UsageError(
                "there is no secret; name its file with --secret-file or its variable with --secret-env, or set "
                f"{VARIABLE}"
            )
        name = secret_env or VARIABLE
        Webhook.from_env(name)
        return [os.environ[name], *filter(None, [os.environ.get(f"{name}_PREVIOUS")])]
    except ConfigurationError as error:
        where = "the file that --secret-file names" if secret_file is not None else "the environment"
        raise click.UsageError(f"what {where} holds cannot be the secret: {error}") from None


def webhook_of(secret_file: str | None, secret_env: str | None, previous_files: Sequence[str] = ()) -> Webhook:
    """Return the webhook with the secret that the options name, or else the one in the environment.

    Args:
        secret_file: the value of `--secret-file`.
        secret_env: the value of `--secret-env`.
        previous_files: the files of previous secrets.

    Raises:
        click.UsageError: as `secrets_of`.
    """
    secrets = secrets_of(secret_file, secret_env)
    for each in previous_files:
        secrets += secrets_of(each, None)
    logger().disabled = True  # it has said by now what looks like a slip
    try:
        return Webhook(secrets)
    except ConfigurationError as error:
        raise click.UsageError(f"what the files that --secret-file names hold cannot be the secrets: {error}") from None
    finally:
        logger().disabled = False


def _secret_in(path: str) -> str:
    """Return the secret in a file, of which one line break at the end is not part."""
    content = read(path, "--secret-file", show_path=False, at_most=MOST_OF_A_SECRET)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        # `from None`, and no cause: the error would hold the content.
        raise click.UsageError("the file that --secret-file names is not UTF-8 text; save it as UTF-8") from None
    return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
