"""Facts of workspaces."""
