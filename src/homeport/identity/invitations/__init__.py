"""Invitations: codes with which somebody makes one account for themselves."""
