"""Heavy, as packages are that import torch: nothing may import it that asks for nothing in it."""

import torch as torch
