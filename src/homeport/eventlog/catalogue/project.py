"""Facts of projects."""
