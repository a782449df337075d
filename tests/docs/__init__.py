"""Tests of the site: its code blocks, its links, and what it loads."""
