"""What a trial imports when it first needs it: see tests/apart.py. torch's optimizers import its compiler."""

import matplotlib.figure
import matplotlib.pyplot
import timm
import torch._dynamo

from alearn.cli import run_command
from alearn.report import reporters
from alearn.sweep import hydra_callback
from tests import command

__all__ = ["command", "hydra_callback", "matplotlib", "reporters", "run_command", "timm", "torch"]
