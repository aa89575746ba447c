"""alearn-export: the labels of a trial or an audit in the forms that other programs read. A module a format."""
