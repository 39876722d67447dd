"""Work done now and then. Every job is a file with ``run()``, which opens what it needs."""
