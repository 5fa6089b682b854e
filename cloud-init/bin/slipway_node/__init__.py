"""What a serving node does to serve a deployment, on Debian's own Python and packages."""
