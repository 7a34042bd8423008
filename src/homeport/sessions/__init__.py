"""The command side of conversations: start, say, stop, approve, archive."""
