"""Running the application: a socket of this machine, until Ctrl-C."""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection
from contextlib import closing, suppress
from ipaddress import ip_address
from pathlib import Path

from genbench.errors import SetupError, missing_extra
from genbench.study.document import load_study
from genbench.study.store import FILE, Count, Store

LEAVE = 5  # seconds for answers that are on their way when the server is stopped


def serve(
    folder: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8765,
    allow: Collection[str] = (),
    ready: Callable[[str], None] = print,
) -> Count:
    """Serve the study in a folder until Ctrl-C or a signal to end; returns what is kept then.

    allow: names besides those of this machine under which it may be asked, as through a proxy; without any, and with a host
    that others reach, every name will do. ready: told the address, once the page can be opened. Port 0 takes a free one.
    """
    study = load_study(folder)
    from genbench.study.server import create_app

    try:
        import uvicorn
    except ModuleNotFoundError as error:
        raise missing_extra("uvicorn", "study") from error

    with closing(_listen(host, port)) as listener, closing(Store(folder / FILE, study.id)) as store:
        settings = uvicorn.Config(
            create_app(study, folder, store, _hosts(listener, allow)),
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=LEAVE,
        )
        ready(_address(listener))
        with suppress(KeyboardInterrupt):  # uvicorn hands the signal on after it has stopped
            uvicorn.Server(settings).run(sockets=[listener])
        return store.count()


def _listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections. Raises SetupError where the port is taken or the address is not this machine's."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(128)
        except OSError:
            listener.close()
            raise
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SetupError(
            "E-PORT", f"cannot listen at {host}:{port}: {reason}", hint="choose another --port; 0 takes a free one"
        ) from error
    return listener


def _hosts(listener: socket.socket, allow: Collection[str]) -> set[str] | None:
    """The names under which the server may be asked; None for any."""
    own = listener.getsockname()[0]
    if not allow and not ip_address(own).is_loopback:
        return None
    return {own, "localhost", "127.0.0.1", "::1", *(name.lower() for name in allow)}


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # every interface; this name reaches it from here
        host = "localhost"
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
