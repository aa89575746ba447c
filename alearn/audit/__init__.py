"""The guarantee: bound, plan, draw, protocol, certificate, verifier. What is drawn is drawn after labels are frozen."""
