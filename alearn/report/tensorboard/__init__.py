"""What TensorBoard shows. `event_file` writes a trial's run, `alearn.sweep.bands` the mean curves over seeds."""
