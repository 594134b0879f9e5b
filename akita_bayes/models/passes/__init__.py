"""Views of a window, compiled graphs of a model, and the cut of a graph before its posterior."""
