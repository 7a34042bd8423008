"""Pairing: a device that signs in because somebody who is signed in says so (RFC 8628)."""
