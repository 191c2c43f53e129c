"""The command line: verbs that parse, call one function and print. stdout is data, stderr is everything else."""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any

from genbench.cli import app as _app
from genbench.errors import GenbenchError

app = _app.app
INTERRUPTED = 130  # what typer makes of Ctrl-C, as shells do


def main() -> None:
    """Run the command line and leave with the documented exit status."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The exit status of a command line: what its verb says, else that of the error; see genbench.errors."""
    import typer

    # Newer versions of typer carry a click of their own, and hand on only this descendant of its two base classes.
    usage_error: type[Exception] = typer.BadParameter.__bases__[0]
    click_error: Any = usage_error.__bases__[0]
    as_json = "--json" in arguments
    try:
        status = app(arguments, prog_name="genbench", standalone_mode=False)
        sys.stdout.flush()
        return _interrupted() if status == INTERRUPTED else int(status or 0)
    except GenbenchError as error:
        return _report(error.code, error.message, error.hint, error.exit_code, as_json)
    except typer.Abort:
        return _interrupted()
    except click_error as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "genbench"
        return _report("E-USAGE", error.format_message(), f"`{command} --help` lists what there is", 2, as_json)
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:  # the reader has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        print(_lines(traceback.format_exc()), file=sys.stderr)
        hint = "this is a bug in genbench; please report it with the lines above and the output of `genbench doctor`"
        return _report("E-BUG", f"{type(error).__name__}: {error}", hint, 70, as_json)


def _report(code: str, message: str, hint: str, status: int, as_json: bool) -> int:
    """Tell a person on stderr; with --json also a program, by one document on stdout."""
    print(_lines(f"error[{code}]: {message}" + (f"\n  hint: {hint}" if hint else "")), file=sys.stderr)
    if as_json:
        document = {"schema": "genbench.error/1", "code": code, "exit": status, "message": message, "hint": hint}
        print(json.dumps(document, indent=2))
    return status


def _lines(text: str) -> str:
    """With its line breaks, and without anything that a terminal or a service would obey: names from outside stand in it."""
    from genbench.pages.escape import log_line

    return "\n".join(map(log_line, text.rstrip("\n").split("\n")))


def _interrupted() -> int:
    print("\ninterrupted; what was finished is kept and nothing is half-written: repeat the same command", file=sys.stderr)
    return INTERRUPTED
