"""A bad network: a proxy between the browser and the application that goes mute, breaks and comes back."""

from __future__ import annotations

import contextlib
import socket
import threading


class BadNetwork:
    """Passes TCP connections on to a port, as long as it is let.

    Args:
        port: where the application listens.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._is_broken = False
        self._is_mute = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Where the browser finds the application."""
        return f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def mute(self) -> None:
        """Lose what the application answers; what the browser sends still arrives."""
        self._is_mute = True

    def cut(self) -> None:
        """Break every connection, and every new one."""
        self._is_broken = True
        with self._lock:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def restore(self) -> None:
        """Work again."""
        self._is_broken = self._is_mute = False

    def close(self) -> None:
        """Break everything for good."""
        self.cut()
        # Wakes the thread that waits for connections.
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                browser, _address = self._server.accept()
            except OSError:
                return
            if self._is_broken:
                browser.close()
                continue
            application = socket.create_connection(("127.0.0.1", self._target))
            with self._lock:
                self._open |= {browser, application}
            for source, target, answers in ((browser, application, False), (application, browser, True)):
                threading.Thread(target=self._pass, args=(source, target, answers), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if not (answers and self._is_mute):
                    target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            with self._lock:
                self._open.discard(one)
        source.close()
