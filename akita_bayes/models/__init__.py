"""Specs become graphs; graphs predict."""
