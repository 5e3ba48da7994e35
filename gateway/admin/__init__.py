"""The private listener's application: users, migration and process state, for operators alone."""
