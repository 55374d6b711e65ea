"""Attempts that race, reports that come too late, clocks that differ: what a page shows only ever goes forward."""
