"""Which firetee this is. The layer's build writes both values here, so that every layer says what it was built from.

They stand in the User-Agent and in `platform.initStart`.
"""

VERSION = "source"
#: The first 12 hexadecimal digits of the SHA-256 of our files, as the layer has them.
CONTENT = "source"
#: Both in a form that a User-Agent may have (RFC 9110, section 10.1.5).
PRODUCT = f"firetee/{VERSION}+{CONTENT}"
