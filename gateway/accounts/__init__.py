"""The use cases of a crossing. They know protocols of the store and of adapters, never their kinds."""
