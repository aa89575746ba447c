"""The labels of a trial or an audit in the forms that other programs read, a module for each format."""
