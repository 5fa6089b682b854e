"""Slipway in Docker Compose: what makes the images, and what runs in them beside the releases.

`prepare` runs on the user's machine and `unpack` while an image is built; the others are what containers start.
Those of a server container import the standard library and `slipway_node` alone, as a node's own scripts do.
"""
