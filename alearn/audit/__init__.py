"""The guarantee: bounds, plan, draw, protocol, certificate and verifier. Nothing is drawn before labels are frozen."""
