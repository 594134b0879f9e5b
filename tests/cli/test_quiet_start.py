"""Commands start without a word of TensorFlow's libraries, and errors still reach the screen."""

import subprocess
import sys

PROGRAM = """
import sys
from akita_bayes.cli import console

def command():
    import keras, tensorflow
    assert tensorflow.constant(2).numpy() == 2
    print("said later", file=sys.stderr)
    raise console.errors.DataError("refused.")

sys.exit(console.run(command))
"""


TRACING = """
import logging, sys
from akita_bayes.cli import console

def command():
    import tensorflow as tf
    for member in range(12):
        tf.function(lambda x: x + 1)(tf.constant(member))
    logging.getLogger("tensorflow").warning("said by TensorFlow")

sys.exit(console.run(command))
"""


def test_members_that_are_traced_one_by_one_are_no_warning():
    """TensorFlow advises to retrace less from the fifth member on; its other words are shown."""
    done = subprocess.run([sys.executable, "-c", TRACING], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr.splitlines() == ["said by TensorFlow"]


def test_loading_tensorflow_says_nothing():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["said later", "error: refused."]
