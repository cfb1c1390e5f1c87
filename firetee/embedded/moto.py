"""The other services of AWS, by moto's server in this process: for functions that call S3, DynamoDB, SQS and so on."""

from __future__ import annotations

import threading
from types import TracebackType


class NoMotoError(Exception):
    """moto is not installed; the message says how to."""


class Moto:
    """moto's server on a free port of this machine, empty when the `with` block begins, gone when it ends."""

    def __init__(self) -> None:
        try:
            from moto.moto_api._internal.models import moto_api_backend
            from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
            from werkzeug.serving import WSGIRequestHandler, make_server
        except ImportError as error:
            raise NoMotoError(f"{error}: pip install 'firetee[local]' brings moto and what its server needs") from error

        class Silent(WSGIRequestHandler):
            """Keeps connections open, as AWS does, and says nothing."""

            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # headers and body are two writes: the second would wait 40 ms for the ACK

            def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 (the base class names it so)
                pass

        moto_api_backend.reset()
        application = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Silent)
        self._thread = threading.Thread(target=self._server.serve_forever, name="moto", daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Moto:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
