"""Runs inside a worker process: receives parts from a socket, and sends results and log records."""

import contextlib
import logging
import os
import pickle
import queue
import signal
import threading
import traceback
from multiprocessing import connection
from typing import Any

RESULT = "result"
ERROR = "error"
RECORD = "record"
END = b""
"""Message after which a process leaves its context and ends."""


def serve(descriptor: int) -> None:
    """Computes parts until END; ends at once when the socket closes, as the parent has ended.

    Args:
        descriptor: File descriptor of the socket. It brings the pickled start function, the
            pickled setup, and then functions with their parts.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends this one.
    channel = _Channel(connection.Connection(descriptor))
    logger = logging.getLogger("akita_bayes")
    logger.addHandler(channel)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    with contextlib.ExitStack() as stack:
        try:
            start = pickle.loads(channel.receive())
            if start is not None:
                start()
            setup = pickle.loads(channel.receive())
            state = stack.enter_context(setup())
            while True:
                function, part = pickle.loads(channel.receive())
                channel.send(RESULT, function(state, part))
        except EOFError:
            return
        except Exception as error:  # raised again by the parent
            channel.send(ERROR, _portable(error))


def _portable(error: Exception) -> Exception:
    """Returns an error that the parent can read, with the traceback of this process as a note."""
    text = "".join(traceback.format_exception(error))
    try:
        copy = pickle.loads(pickle.dumps(error))
        assert type(copy) is type(error)
    except Exception:  # some errors of TensorFlow cannot be pickled
        return RuntimeError(text)
    error.add_note(f"In a worker process:\n{text}")
    return error


class _Channel(logging.Handler):
    """Represents the socket to the parent; ends the process when the parent has closed it.

    Args:
        socket: The socket.
    """

    def __init__(self, socket: "connection.Connection[Any, Any]") -> None:
        super().__init__()
        self._socket = socket
        self._sending = threading.Lock()
        self._inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while True:
                self._inbox.put(self._socket.recv_bytes())
        except (EOFError, OSError):
            os._exit(1)

    def receive(self) -> bytes:
        """Returns the next message.

        Raises:
            EOFError: It is END.
        """
        message = self._inbox.get()
        if message == END:
            raise EOFError
        return message

    def send(self, kind: str, value: Any) -> None:
        """Sends a value of a kind; does nothing when the parent has ended."""
        with self._sending, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.send((kind, value))

    def emit(self, record: logging.LogRecord) -> None:
        """Sends a log record as text, since its arguments may not be pickled."""
        record.msg, record.args, record.exc_info = record.getMessage(), (), None
        self.send(RECORD, record)
