"""How a connection fails, in words that whoever asked over it understands. Equal to those of `sending/failures.py`."""

SERVER = "server"  # an answer that is none
TIMEOUT = "timeout"  # no answer by the deadline
RESET = "reset"  # the connection broke on the way
STALE = "stale"  # a kept connection was found dead; worth one more try on a fresh one, at once
CONNECT = "connect"  # no connection could be made (name, network, TLS): nothing was sent
