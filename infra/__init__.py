"""The Pulumi program: one stack of the whole service, the same on AWS and on a local cloud."""
