"""Who shares a project, and as what."""
