"""Second factors: what somebody shows besides the password, and for what they have to show it."""
