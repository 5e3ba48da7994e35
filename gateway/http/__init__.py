"""HTTP/1.1 for a proxy, without I/O: bytes to values and back, strictly."""
