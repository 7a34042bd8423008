"""One verb a module: what changes a conversation, always together with the event that says so."""
