"""OpenAI's chat completions: a stateless model call, or the agent in a session."""
