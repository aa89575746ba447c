"""The device, the models, training and scoring: everything that spends arithmetic."""
