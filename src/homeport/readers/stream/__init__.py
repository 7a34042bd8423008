"""One reader of a session's stream, under every transport."""
