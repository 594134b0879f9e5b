"""Commands start without a word of TensorFlow's libraries, and errors still reach the screen."""

import subprocess
import sys

PROGRAM = """
import logging, sys
from akita_bayes.cli import console

def command():
    import keras, tensorflow as tf
    assert tf.constant(2).numpy() == 2
    for member in range(12):
        tf.function(lambda x: x + 1)(tf.constant(member))
    logging.getLogger("tensorflow").warning("said by TensorFlow")
    print("said later", file=sys.stderr)
    raise console.errors.DataError("refused.")

sys.exit(console.run(command))
"""


def test_loading_tensorflow_and_tracing_many_members_say_nothing():
    """TensorFlow advises to retrace less from the fifth member on; its other words are shown."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["said by TensorFlow", "said later", "error: refused."]
