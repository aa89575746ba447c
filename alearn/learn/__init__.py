"""Training and scoring, and the device that they run on."""
