"""The names that programs used before Signalbox, so that worker code changes nothing but its import."""
