"""Inference without HTTP: the deployment, its models, what goes into them and what comes out."""
