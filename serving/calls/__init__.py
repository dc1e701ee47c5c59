"""The calls of the HTTP service, by what they are about."""
