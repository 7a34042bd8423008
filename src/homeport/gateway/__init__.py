"""Other people's wire formats onto ours."""
