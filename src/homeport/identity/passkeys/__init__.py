"""Passkeys (WebAuthn level 3): a key pair on a device, opened by a finger, a face or a PIN."""
