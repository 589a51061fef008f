"""The hub's token for one run: asked for, never given on the command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from getpass import getpass
from typing import Any

import click

from llamarig.errors import UserError
from llamarig.hub.token import TYPED, VARIABLE, checked


def _ask(context: click.Context, option: click.Parameter, wanted: bool) -> None:
    """Put what is typed where the runs that we start find it: in their environment."""
    if not wanted:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise UserError(f"--ask-token: no terminal to ask at; set {VARIABLE} or hf_token_file")
    try:
        os.environ[TYPED] = checked(getpass("token of the hub: ").strip(), "--ask-token")
    except UnicodeDecodeError:
        raise UserError("--ask-token: that is no text; a token begins with hf_") from None
    except ValueError as error:
        raise UserError(str(error)) from None


def token_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--ask-token` for commands that may ask the hub."""
    return click.option(
        "--ask-token",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_ask,
        help=f"Ask for the hub's token; it goes before hf_token_file and {VARIABLE}.",
    )(command)
