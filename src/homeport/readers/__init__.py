"""Everything that looks. A reader never appends."""
