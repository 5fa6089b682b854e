"""Follows an alias in MLflow: what carries it is what the fleet is to serve.

Runs on the tracking node, where it carries out orders (`ops.orders`) too. It decides and keeps the books; deployments
are made and rolled by the same code and the same playbook that a person uses. What it knows is in the bucket and in
MLflow, so it may be killed at any point.
"""
