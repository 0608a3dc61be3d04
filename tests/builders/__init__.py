"""Values and traffic that are valid by default, so that a test sets only what matters to it."""
