"""The AWS API of the local cloud: moto behind one HTTP server, who called what, and what IAM makes of it."""
