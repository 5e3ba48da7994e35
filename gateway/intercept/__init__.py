"""Which requests are authentication, what was typed in them, and what the app answered. Pure."""
