"""The command line `listrak-webhooks`, one file a command; it needs the extra `cli`.

A command's file is imported when the command is called, and what a command needs beyond Click when it needs it.
"""

from listrak_webhooks._extras import importing

with importing("click", needed_by="the command line"):
    import click

__all__ = ["click"]
