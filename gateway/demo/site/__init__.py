"""The legacy application of the demo: an ordinary Django site that has never heard of the gateway."""
