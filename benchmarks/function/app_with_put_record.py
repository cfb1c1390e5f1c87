"""The same function with what firetee replaces: boto3, a thread, one PutRecord a line, a wait at the end."""

import logging
import os
import queue
import sys
import threading

import boto3
from app import handler as function

_client = boto3.client("firehose")
_stream = os.environ["FIRETEE_STREAM"]
_lines: "queue.SimpleQueue[str | threading.Event]" = queue.SimpleQueue()


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _lines.put(self.format(record) + "\n")


class _Stdout:
    """Writes through, and queues whole lines."""

    def __init__(self, stream):  # type: ignore[no-untyped-def]
        self._stream = stream
        self._line = ""

    def write(self, text: str) -> int:
        written: int = self._stream.write(text)
        *whole, self._line = (self._line + text).split("\n")
        for line in whole:
            _lines.put(line + "\n")
        return written

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def _send() -> None:
    while True:
        line = _lines.get()
        if isinstance(line, threading.Event):
            line.set()
        else:
            _client.put_record(DeliveryStreamName=_stream, Record={"Data": line.encode()})


sys.stdout = _Stdout(sys.stdout)
logging.getLogger().addHandler(_Handler())
threading.Thread(target=_send, daemon=True).start()


def handler(event, context):  # type: ignore[no-untyped-def]
    try:
        return function(event, context)
    finally:
        sent = threading.Event()
        _lines.put(sent)
        sent.wait()
