"""From protocol to plan to run."""
