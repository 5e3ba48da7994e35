"""The demo: a real Django site, the gateway before it, and a walk through the crossing."""
