"""The verbs of identity. Each takes an open unit on `account:<id>` and appends what it did."""
