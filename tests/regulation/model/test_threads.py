"""Threads that share a compiled program."""

import threading

import numpy as np
import tensorflow as tf

from akita_bayes.regulation.model import threads


def test_nothing_runs_beside_the_first_call_of_a_program(monkeypatch):
    monkeypatch.setattr(threads.os, "cpu_count", lambda: 2)
    program = tf.function(lambda x: x**2, jit_compile=True)
    together = threading.Barrier(2, timeout=20)
    running = []

    def square(x):
        running.append(x)
        if len(running) > 1 or program.experimental_get_tracing_count():
            together.wait()  # two at a time, or the barrier breaks
        return program(x).numpy()

    five = [tf.constant(float(x)) for x in range(5)]
    assert threads.parallel_map(square, five, program=program) == [0, 1, 4, 9, 16]
    assert threads.parallel_map(square, five[:4], program=program) == [0, 1, 4, 9]
    assert threads.parallel_map(square, [], program=program) == []


def test_results_keep_the_order_of_the_items():
    program = tf.function(lambda x: -x)
    items = np.arange(20.0)
    np.testing.assert_array_equal(threads.parallel_map(program, items, program=program), -items)
