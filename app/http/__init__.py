"""Flask: routes, errors, headers and the access log. Nothing here knows how a model works."""
