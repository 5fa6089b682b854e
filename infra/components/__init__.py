"""One noun per module, split by lifetime: what holds data is never in one component with what is replaced."""
