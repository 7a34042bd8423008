"""Signed requests (RFC 9421): keys of people, what a signature covers, and who must sign."""
