"""Specs of networks: read from JSON, validated, frozen."""
