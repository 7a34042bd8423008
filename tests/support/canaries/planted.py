"""What an operator would keep secret, as the servers of all tests are given it."""

from __future__ import annotations

PROVIDER_KEY = "planted-key-of-the-provider-Qm7xV2cT9rJ4wL8z"
"""No `sk-`, by which the log would know it: not every provider's keys can be told by their look."""
DATABASE_PASSWORD = "planted-password-of-the-database-Hn3kB6yD1sG5uF0e"
"""PostgreSQL takes anybody on the loopback; the URL that servers are given has it all the same."""
REDIS_PASSWORD = "planted-password-of-redis-Pz4mX8aW2vR7tK1o"
