"""Tokens, keys and sessions as rules and values: pure, no I/O."""
