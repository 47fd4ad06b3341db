"""The sample database: every position that a patch can be centred on, with its class."""
