"""How the gateway serves: one supervisor, and workers on the sockets that it holds."""
