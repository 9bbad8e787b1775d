"""Work while an experiment runs: scans as they arrive, a night's batch, copies to disks, who is on shift."""
