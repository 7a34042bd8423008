"""Workspaces and who may enter them."""
