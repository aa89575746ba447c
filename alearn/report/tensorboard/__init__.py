"""What TensorBoard shows: `sink` writes a trial's own run, `bands` the mean curves over the seeds of a setting."""
