"""Tests of cachelens."""
