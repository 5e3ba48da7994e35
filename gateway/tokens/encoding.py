"""How bytes are written in tokens and cookies.

Owns base64url without padding (RFC 7515 section 2), and nothing of what the bytes mean.
"""

import base64


def base64url(raw: bytes) -> str:
    """Return bytes in the alphabet that needs no escaping anywhere."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
