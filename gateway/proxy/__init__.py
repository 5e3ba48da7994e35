"""The data plane: client and app connections, and the intercepted exchanges between them."""
