"""How other catalogues are harvested: a file for each protocol, which holds a `Harvester`."""
