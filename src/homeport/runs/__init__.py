"""The agent loop: a model turn, its tool calls, their results, the next turn, until it is done."""
