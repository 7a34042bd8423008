"""Homeport: the self-hosted server that a coding agent sails from."""

__version__ = "0.1.0"
