"""HTML pages that need no server: the reports of trials and of sweeps."""
