"""Who calls: accounts, credentials, tokens, keys and roles; others come in by `access.py`."""
