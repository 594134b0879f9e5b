"""Lets trained models teach a student: their predictions as labels, and the spec of the student."""
