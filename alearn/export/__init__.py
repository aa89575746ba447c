"""Export the labels of a trial or an audit for other programs. Each format has its own module."""
