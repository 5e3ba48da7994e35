"""Password hashes, without I/O: verifies what legacy applications wrote, writes argon2id."""
