"""Sluicegate: a reverse proxy that moves the users of an unchanged application into a new store."""
