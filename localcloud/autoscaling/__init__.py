"""Auto Scaling groups made true: what a group wants, compared each turn with the instances it has."""

from localcloud.autoscaling.controller import AutoscalingController

__all__ = ["AutoscalingController"]
