"""Names the share of a variant file that one of several independent commands scores."""

import os
from collections.abc import Mapping
from typing import NamedTuple

from akita_bayes import errors
from akita_bayes.variants.alleles import vcf

AUTO = "auto"


class Shard(NamedTuple):
    """Identifies shard `number` of `shards`, counted from 0."""

    number: int = 0
    shards: int = 1

    @property
    def name(self) -> str:
        """Returns the name of the shard among the writers of a directory; "" for the whole."""
        return "" if self.shards == 1 else f"{self.number + 1}-of-{self.shards}"

    def parts(self, count: int) -> range:
        """Returns the numbers of its parts among `count`: every `shards`-th part."""
        return range(self.number, count, self.shards)


WHOLE = Shard()


def parse_shard(text: str, environment: Mapping[str, str] = os.environ) -> Shard:
    """Reads `i/n`, i from 1 to n; or "auto", for the task of a SLURM array that this process is.

    Args:
        text: `i/n` or "auto".
        environment: Variables, among which SLURM names the array.

    Raises:
        VariantError: The text has another form, or there is no array of evenly spaced tasks.
    """
    if text == AUTO:
        return _of_array(environment)
    number, shards = map(vcf.whole_number, text.partition("/")[::2])
    if number is None or shards is None or not 1 <= number <= shards:
        raise errors.VariantError(
            f'"{text}" is not a valid shard; expected i/n, for example 1/4, or auto.'
        )
    return Shard(number - 1, shards)


def _of_array(environment: Mapping[str, str]) -> Shard:
    """Returns the shard of a task of an array, such as `sbatch --array=1-8` or `0-14:2`."""
    name = "SLURM_ARRAY_TASK_"
    if f"{name}ID" not in environment:
        raise errors.VariantError(
            f"--shard auto: {name}ID is not set; start the command as a task of a SLURM array "
            "(sbatch --array=1-8), or give i/n."
        )
    keys = ("ID", "COUNT", "MIN", "STEP")
    defaults = {"MIN": "1", "STEP": "1"}
    texts = [environment.get(name + key, defaults.get(key, "")) for key in keys]
    task, count, least, step = map(vcf.whole_number, texts)
    if task is None or count is None or least is None or not step:
        values = ", ".join(f'{name}{key}="{text}"' for key, text in zip(keys, texts, strict=True))
        raise errors.VariantError(f"--shard auto: cannot be read from {values}; give i/n.")
    number, rest = divmod(task - least, step)
    if rest or not 0 <= number < count:
        raise errors.VariantError(
            f"--shard auto: task {task} is not one of {count} tasks from {least} on in steps of "
            f"{step}; use an array such as --array=1-8, or give i/n."
        )
    return Shard(number, count)
