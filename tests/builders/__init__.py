"""Builders of small capture files, so that tests need no blobs."""
