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


def test_loading_tensorflow_says_nothing():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["said later", "error: refused."]
