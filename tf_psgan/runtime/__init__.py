"""The machine: files, locks, signals, devices, threads, standard error and progress."""
