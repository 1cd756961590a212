"""Programs that were written elsewhere, against geard and against gear's client and worker."""
