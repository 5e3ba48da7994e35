"""The new user store: protocols by consumer, and Postgres behind them."""
