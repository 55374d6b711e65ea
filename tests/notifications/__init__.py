"""Tests of notifications that stay."""
