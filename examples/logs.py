"""Writes with `logging`, whose records never pass the standard streams on Lambda."""

from __future__ import annotations

import logging

logger = logging.getLogger("orders")
logging.getLogger().setLevel(logging.INFO)


def handler(event: dict[str, object], context: object) -> None:
    logger.info("order %s accepted", event.get("order"))
    logger.warning("stock is low: %d left", 3)
