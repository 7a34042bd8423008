"""HTTP, for any domain: the error mapper, middleware, pages, and how routers get what they need."""
