"""Bytes as text in tokens and cookies."""

from gateway.tokens.encoding import base64url


def test_the_example_of_rfc_7515_is_written_as_there() -> None:
    """Appendix C: other signs than base64's, and no padding."""
    assert base64url(bytes([3, 236, 255, 224, 193])) == "A-z_4ME"
